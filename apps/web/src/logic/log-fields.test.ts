import { describe, expect, it } from "vitest";
import { fieldValues } from "./log-fields.ts";

function line(text: string) {
  return {
    timeNs: "1",
    line: text,
    labels: { app: "users" },
    metadata: { status: "503" },
    level: "info" as const,
    traceId: null,
    entity: null,
  };
}

describe("fields of a line", () => {
  it("come from labels, from beside the line, and from nested JSON", () => {
    const json = line('{"user":{"id":7,"tags":["a"]},"ok":false,"status":1,"none":null}');
    expect(fieldValues(json, ["app", "status", "user_id", "user_tags", "ok", "none"])).toEqual([
      "users",
      "503",
      "7",
      '["a"]',
      "false",
      "",
    ]);
  });

  it("come from logfmt", () => {
    expect(fieldValues(line('ts=1 msg="not found" path=/a'), ["msg", "path", "no"])).toEqual([
      "not found",
      "/a",
      "",
    ]);
  });

  it.each(["{cut", "plain", ""])("are empty for %s", (text) =>
    expect(fieldValues(line(text), ["a"])).toEqual([""]),
  );
});
