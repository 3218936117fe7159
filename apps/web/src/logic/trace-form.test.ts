import { describe, expect, it } from "vitest";
import { emptyTraceForm, readDuration, readTraceForm, writeTraceForm } from "./trace-form.ts";

describe("the form of a trace search", () => {
  it("survives a round trip", () => {
    for (const form of [
      emptyTraceForm,
      { service: "user-service", minMs: 250, errors: true },
      { service: "", minMs: 1500, errors: false },
    ])
      expect(readTraceForm(writeTraceForm(form))).toEqual(form);
  });

  it("leaves what it cannot hold as text", () => {
    expect(readTraceForm('{ span.http.path = "/x" }')).toBeNull();
    expect(readTraceForm('{ status = error } >> { name = "x" }')).toBeNull();
    expect(readTraceForm("nonsense")).toBeNull();
  });

  it("reads durations as people type them", () => {
    expect(readDuration("250")).toBe(250);
    expect(readDuration("1s500ms")).toBe(1500);
    expect(readDuration("fast")).toBeNull();
  });
});
