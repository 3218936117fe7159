import { mechanisms } from "@skopos/model";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { loadRunbooks, matchRunbook, parseRunbook } from "./runbooks.ts";

describe("runbooks", () => {
  it("that are shipped can be read, and offer an action for a rollout, an edit and a scaling", async () => {
    const books = await loadRunbooks(path.resolve(import.meta.dirname, "../runbooks"));
    expect(books.length).toBeGreaterThan(3);
    expect(matchRunbook(books, "bad-rollout", "rollout")?.id).toBe("undo-rollout");
    expect(matchRunbook(books, "connection-pool-overflow", "config-updated")?.id).toBe(
      "restore-configuration",
    );
    expect(matchRunbook(books, "no-healthy-upstream", "scale")?.id).toBe("scale-back");
    expect(matchRunbook(books, "own-errors", undefined)?.id).toBe("no-change");
    const known = new Set(Object.keys(mechanisms));
    expect(books.flatMap(({ when }) => when.mechanisms).every((name) => known.has(name))).toBe(
      true,
    );
  });

  it("that are wrong are refused with their file and reason", () => {
    const text = "id: x\ntitle: X\nwhen: { mechanisms: [gremlins] }\nsteps: [{ advise: look }]";
    expect(() => parseRunbook(text, "x.yaml")).toThrow(/x\.yaml.*no such mechanism/s);
    expect(() => parseRunbook("id: [", "y.yaml")).toThrow(/y\.yaml/);
  });
});
