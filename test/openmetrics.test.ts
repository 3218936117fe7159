import { expect, it } from "vitest";
import { run } from "../conformance/openmetrics.ts";

const dir = process.env["SKOPOS_CONFORMANCE"];

it.runIf(dir)("agrees with the OpenMetrics project on valid and invalid pages", async () => {
  const { passed, failures } = await run(dir ?? "");
  expect(failures).toEqual([]);
  expect(passed).toBeGreaterThan(100);
});
