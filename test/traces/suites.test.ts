import { expect, it } from "vitest";
import { run as runJaeger } from "../../conformance/jaeger.ts";
import { run as runTraceql } from "../../conformance/traceql.ts";

const upstream = process.env["SKOPOS_CONFORMANCE"];

it.skipIf(upstream === undefined)(
  "tells Tempo's example queries apart (SKOPOS_CONFORMANCE names their directory)",
  async () => {
    const { passed, failures, skipped } = await runTraceql(upstream ?? "");
    expect(failures).toEqual([]);
    expect(skipped).toEqual({});
    expect(passed).toBeGreaterThan(150);
  },
);

it.skipIf(upstream === undefined)(
  "finds with Jaeger's storage queries the traces that they must find (SKOPOS_CONFORMANCE names their directory)",
  async () => {
    const { passed, failures } = await runJaeger(upstream ?? "");
    expect(failures).toEqual([]);
    expect(passed).toBeGreaterThan(20);
  },
  240_000,
);
