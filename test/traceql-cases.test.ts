import { expect, it } from "vitest";
import { run } from "../conformance/traceql.ts";

const upstream = process.env["SKOPOS_CONFORMANCE"];

it.skipIf(upstream === undefined)(
  "tells Tempo's example queries apart (SKOPOS_CONFORMANCE names their directory)",
  async () => {
    const { passed, failures, skipped } = await run(upstream ?? "");
    expect(failures).toEqual([]);
    expect(skipped).toEqual({});
    expect(passed).toBeGreaterThan(150);
  },
);
