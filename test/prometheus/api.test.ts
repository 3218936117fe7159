import { expect, it } from "vitest";
import { run } from "../../conformance/prometheus-api.ts";

const dir = process.env["SKOPOS_CONFORMANCE"];

it.runIf(dir)(
  "every path of Prometheus's OpenAPI file is answered as the file says, or listed with why not",
  async () => {
    const { passed, failures } = await run(dir ?? "");
    expect(failures).toEqual([]);
    expect(passed).toBeGreaterThan(70);
  },
  120_000,
);
