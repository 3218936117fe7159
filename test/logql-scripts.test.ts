import path from "node:path";
import { expect, it } from "vitest";
import { run } from "../conformance/logql.ts";

const upstream = process.env["SKOPOS_CONFORMANCE"];

it("passes our own LogQL scripts", async () => {
  const { passed, failures, skipped } = await run(
    path.resolve(import.meta.dirname, "../conformance"),
  );
  expect(failures).toEqual([]);
  expect(skipped).toEqual({});
  expect(passed).toBeGreaterThan(20);
});

it.skipIf(upstream === undefined)(
  "passes upstream's LogQL scripts (SKOPOS_CONFORMANCE names their directory)",
  async () => {
    const { passed, failures, skipped } = await run(upstream ?? "");
    process.stdout.write(
      `upstream LogQL: ${passed} passed, ${Object.keys(skipped).length} skipped\n`,
    );
    expect(failures).toEqual([]);
    expect(passed).toBeGreaterThan(700);
  },
);
