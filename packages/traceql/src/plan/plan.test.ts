import { describe, expect, it } from "vitest";
import { parse } from "../syntax/parse.ts";
import { validate } from "../syntax/validate.ts";
import { explain } from "./plan.ts";

function plan(query: string): string[] {
  const parsed = parse(query);
  validate(parsed);
  return explain(parsed);
}

describe("the store is asked", () => {
  it.each([
    ["{}", "spans where anything"],
    [
      '{ resource.service.name = "a" && duration > 1.5s }',
      'spans where (service = "a" and durationNs > 1500000000)',
    ],
    ["{ 2s < duration && 1 = 1 }", "spans where durationNs > 2000000000"],
    ["{ span.a > 10 * 1024 || .b = nil }", "spans where (span.a > 10240 or any.b absent)"],
    ["{ !(status = error) } | select(name)", 'spans where not (status = "error")'],
    ["{ !.a && span.x = ok }", "spans where (any.a = false and nothing)"],
    ['{ trace:id = "Ab" }', `spans where traceId = "${"ab".padStart(32, "0")}"`],
    ["{ status = error } | { name = `x` }", 'spans where (status = "error" and name = "x")'],
    [
      "{ rootName = `x` && !(trace:rootService = `y`) && trace:duration > 2s }",
      'spans where (rootName = "x" and not (rootService = "y") and traceDurationNs > 2000000000)',
    ],
  ])("for all of %s", (query, asked) => {
    expect(plan(query)).toEqual([`store: ${asked}`]);
  });

  it.each([
    ["{ childCount > 1 && status = error }", 'a span where status = "error"'],
    [
      "{ kind = server } >> { status = error }",
      '(a span where kind = "server" and a span where status = "error")',
    ],
    ["{} !< { status = error }", 'a span where status = "error"'],
    [
      "{ status = ok } || { name = `x` }",
      '(a span where status = "ok" or a span where name = "x")',
    ],
    ["{ status = ok } | count() > 3", 'a span where status = "ok"'],
    ["count() > 3", "a span where anything"],
    [
      "{ rootName = `x` } >> { kind = server }",
      '(a span where rootName = "x" and a span where kind = "server")',
    ],
  ])("for the traces of %s", (query, asked) => {
    expect(plan(query)).toEqual([`store: traces with ${asked}; here: the pipeline`]);
  });

  it("to count what it can, and leaves the rest", () => {
    expect(plan("{ kind = server } | rate() by (resource.service.name) | topk(3)")).toEqual([
      'store: rate of spans where kind = "server"',
      "here: topk",
    ]);
    expect(plan("({} | rate()) / ({} | rate() by (event:name))")).toEqual([
      "store: rate of spans where anything",
      "store: spans where anything",
      "here: rate",
      "here: /",
    ]);
  });
});
