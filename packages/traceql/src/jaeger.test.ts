import { describe, expect, it } from "vitest";
import { jaegerQuery } from "./jaeger.ts";
import { explain } from "./plan/plan.ts";
import { parse } from "./syntax/parse.ts";
import { validate } from "./syntax/validate.ts";

describe("a search of Jaeger's", () => {
  it("is one filter that the store decides alone, whatever is in it", () => {
    const query = jaegerQuery({
      service: 'a "b" \\',
      operation: "GET /\n",
      tags: { 'k "1"': "x\u0000", error: "true", "span.kind": "server", "http.status_code": "503" },
      minDurationNs: 1500,
      maxDurationNs: 2e9,
    });
    const parsed = parse(query);
    validate(parsed);
    expect(explain(parsed)).toHaveLength(1);
    expect(explain(parsed)[0]).toMatch(/^store: spans where \(+service = /);
    expect(explain(parsed)[0]).toContain("span.http.status_code = 503 or");
    expect(explain(parsed)[0]).toContain("durationNs <= 2000000000");
    expect(explain(parsed)[0]).toContain('status = "error"');
  });

  it("finds everything when nothing is asked", () => {
    expect(jaegerQuery({})).toBe("{ }");
  });
});
