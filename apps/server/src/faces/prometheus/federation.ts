/** `/federate`: the newest samples for another Prometheus to scrape. */
import type { FastifyInstance } from "fastify";
import type { LabelMap } from "@skopos/model";
import { sendBig, sentOnce } from "../../http/big-answer.ts";
import { goneSignal } from "../../http/bind.ts";
import type { Guard } from "../../http/guard.ts";
import { refusalOf } from "../../http/problems.ts";
import { streamAnswer } from "../../threads/answer-stream.ts";
import type { QueryPool } from "../../threads/query-pool.ts";
import { type Parameters, selectorsOf } from "./parameters.ts";

interface FederationParts {
  readonly guard: Guard;
  readonly pool: Pick<QueryPool, "call">;
  readonly nowMs: () => number;
  readonly externalLabels: LabelMap;
}

const contentTypes = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
} as const;

/** OpenMetrics for those who name it with a quality that is no worse than that of plain text. */
function formatOf(accept: string): keyof typeof contentTypes {
  let best: keyof typeof contentTypes = "text";
  let bestQuality = 0;
  for (const part of accept.split(",")) {
    const [type = "", ...parameters] = part.split(";").map((each) => each.trim().toLowerCase());
    const quality = Number(parameters.find((each) => each.startsWith("q="))?.slice(2) ?? 1);
    const format =
      type === "application/openmetrics-text"
        ? "openmetrics"
        : type === "text/plain"
          ? "text"
          : undefined;
    if (format === undefined || !(quality > bestQuality)) continue;
    best = format;
    bestQuality = quality;
  }
  return best;
}

export function bindFederation(
  app: FastifyInstance,
  { guard, pool, nowMs, externalLabels }: FederationParts,
): void {
  app.get("/federate", async (request, reply) => {
    try {
      guard.require(request, "viewer", false);
      const accept = request.headers.accept ?? "";
      const format = formatOf(accept);
      const utf8 = /escaping\s*=\s*"?allow-utf-8/.test(accept);
      const matcherSets = selectorsOf(request.query as Parameters);
      const asked = { matcherSets, nowMs: nowMs(), externalLabels, format, utf8 };
      const body = await streamAnswer(pool, "federate", asked, { signal: goneSignal(reply) });
      reply.type(`${contentTypes[format]}${utf8 ? "; escaping=allow-utf-8" : ""}`);
      await sendBig(request, reply, sentOnce(body));
      return await reply;
    } catch (error) {
      if (reply.sent) return reply;
      const { status, body } = refusalOf(error);
      return reply.status(status).type("text/plain").send(body.error.message);
    }
  });
}
