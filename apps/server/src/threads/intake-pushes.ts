/** Decodes pushes of spans and log lines and answers each in its protocol's manner, once it is on disk. */
import {
  decodeLokiPush,
  decodeOtlpLogs,
  decodeOtlpTraces,
  decodeZipkinSpans,
  encodeExportResponse,
  type IntakeOutcome,
  type SignalIntake,
} from "@skopos/ingest";
import { SkoposError } from "@skopos/model";
import type { SignalPush } from "./intake-calls.ts";
import type { PushAnswer } from "./telemetry-calls.ts";

export async function acceptSignals(push: SignalPush, intake: SignalIntake): Promise<PushAnswer> {
  const { kind, body, contentType, contentEncoding } = push;
  const options = { contentEncoding };
  switch (kind) {
    case "otlp-traces": {
      const decoded = decodeOtlpTraces(body, contentType, options);
      const outcome = await intake.takeSpans(decoded, "partial");
      return { status: 200, ...encodeExportResponse("traces", outcome, contentType) };
    }
    case "otlp-logs": {
      const decoded = decodeOtlpLogs(body, contentType, options);
      const outcome = await intake.takeLogs(decoded, "partial");
      return { status: 200, ...encodeExportResponse("logs", outcome, contentType) };
    }
    case "zipkin": {
      const decoded = decodeZipkinSpans(body, contentType, options);
      return plainAnswer(await intake.takeSpans(decoded, "whole"), 202, "spans");
    }
    case "loki": {
      const decoded = decodeLokiPush(body, contentType, contentEncoding);
      return plainAnswer(await intake.takeLogs(decoded, "whole"), 204, "lines");
    }
  }
}

/** For protocols without a partial success: an error that says what was kept all the same. */
function plainAnswer(outcome: IntakeOutcome, status: number, what: string): PushAnswer {
  const { taken, rejected, error = "" } = outcome;
  if (rejected === 0) return { status, contentType: undefined, body: undefined };
  throw new SkoposError(
    "bad-request",
    `${error} (${rejected} ${what} refused, ${taken} ${what} stored)`,
  );
}
