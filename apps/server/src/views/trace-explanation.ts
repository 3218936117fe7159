/**
 * What a trace says, in sentences: where it failed and by what, what took unusually long, what could be called better, and what
 * changed before it on the services in question. Each sentence points to the row or page that shows it; a trace that says nothing
 * unusual gets none.
 */
import {
  type EntityRef,
  entityPath,
  type Joins,
  type ReplyOf,
  type TraceOutline,
  webPaths,
} from "@skopos/api";
import { type AttributeValue, flagMeaning, type Span } from "@skopos/model";
import { changeText } from "./log-explanation.ts";
import { calledServiceOf, entityAttributes, serviceEntity } from "./span-entity.ts";

type Statement = ReplyOf<"traceExplanation">["statements"][number];
type Peers = ReplyOf<"tracePeers">["operations"];

export interface TraceFacts {
  readonly outline: TraceOutline;
  /** By row of the outline; of a long trace only those worth telling. */
  readonly spans: readonly (Span | undefined)[];
  readonly peers: Peers;
  readonly joins: Pick<Joins, "changes" | "at">;
}

/** A part of the trace below this is not worth a sentence. */
const slowShareMin = 0.15;
/** As often its usual time as makes a span slow. */
const slowFactorMin = 3;
const slowMsMin = 5;
const statementsOfKindMax = 3;
/** Names that instrumentation gives to waiting for a pooled resource. */
const waitName = /pool|acquire|checkout|getconnection|get_connection|wait|semaphore|queue|lease/i;

const textOf = (value: AttributeValue | undefined) =>
  typeof value === "string" && value !== "" && value !== "-" ? value : undefined;

function milliseconds(ms: number): string {
  if (ms < 0.1) return "less than 0.1 ms";
  return `${ms >= 10 ? ms.toFixed(0) : ms.toFixed(1)} ms`;
}

export function explainTrace(facts: TraceFacts): Statement[] {
  const involved = new Map<string, EntityRef>();
  const note = (entity: EntityRef | null) => {
    if (entity) involved.set(entity.id, entity);
  };
  const failing = failures(facts, note);
  const slow = slowParts(facts, note);
  const patterns = facts.outline.patterns
    .slice(0, statementsOfKindMax)
    .map(({ kind, text, rows }): Statement => ({
      kind: kind === "retry" ? "retry" : "calls",
      text,
      row: rows[0] ?? null,
      entity: null,
      path: null,
    }));
  return [...failing, ...slow, ...changesBefore(facts, involved), ...patterns];
}

/** All attributes that are read here. */
export const explainedAttributes: readonly string[] = [
  ...entityAttributes,
  "upstream_cluster.name",
  "upstream_cluster",
  "response_flags",
  "http.status_code",
  "http.response.status_code",
];

/** The host that a proxy's span was for, by Istio's cluster name. */
function calledService(span: Span): EntityRef | null {
  const cluster =
    textOf(span.attributes["upstream_cluster.name"]) ?? textOf(span.attributes["upstream_cluster"]);
  return calledServiceOf(cluster ?? "");
}

function failures(facts: TraceFacts, note: (entity: EntityRef | null) => void): Statement[] {
  const { outline, spans } = facts;
  const origin = outline.errorOrigin === null ? undefined : spans[outline.errorOrigin];
  const statements: Statement[] = [];
  if (origin) {
    const flags = textOf(origin.attributes["response_flags"]);
    const called = calledService(origin);
    const code =
      origin.attributes["http.status_code"] ?? origin.attributes["http.response.status_code"];
    const codeText = code === undefined ? "" : (textOf(code) ?? JSON.stringify(code));
    const status = codeText === "" ? "" : ` with ${codeText}`;
    // Proxies put the code there as well.
    const isTold = origin.statusMessage === "" || origin.statusMessage === codeText;
    const message = isTold ? "" : `: ${origin.statusMessage}`;
    const blamed = flags === undefined ? serviceEntity(origin) : (called ?? serviceEntity(origin));
    note(blamed);
    note(serviceEntity(origin));
    const proxy =
      flags === undefined
        ? ""
        : ` The proxy gives the flag ${flags}: ${flagMeaning(flags)}${called ? `, calling ${called.name}` : ""}.`;
    statements.push({
      kind: "error",
      text: `The failure begins at ${origin.service}, in “${origin.name}”${status}${message}.${proxy}`,
      row: outline.errorOrigin,
      entity: blamed,
      path: blamed ? entityPath(blamed) : null,
    });
  }
  const told = new Set(origin ? [textOf(origin.attributes["response_flags"])] : []);
  spans.forEach((span, row) => {
    const flags = textOf(span?.attributes["response_flags"]);
    if (!span || flags === undefined || told.has(flags) || statements.length >= statementsOfKindMax)
      return;
    told.add(flags);
    const called = calledService(span) ?? serviceEntity(span);
    note(called);
    statements.push({
      kind: "error",
      text: `${span.service}'s proxy gives the flag ${flags}${called ? ` for ${called.name}` : ""}: ${flagMeaning(flags)}.`,
      row,
      entity: called,
      path: called ? entityPath(called) : null,
    });
  });
  return statements;
}

function slowParts(
  { outline, spans, peers }: TraceFacts,
  note: (entity: EntityRef | null) => void,
): Statement[] {
  const usual = new Map(
    peers.map((peer) => [`${peer.service}\u0000${peer.kind}\u0000${peer.name}`, peer]),
  );
  const worthMs = Math.max(slowMsMin, outline.durationMs * slowShareMin);
  return spans
    .flatMap((span, row) => (span ? [{ span, row, ownMs: outline.exclusiveMs[row] ?? 0 }] : []))
    .filter(({ ownMs }) => ownMs >= worthMs)
    .flatMap(({ span, row, ownMs }) => {
      const peer = usual.get(`${span.service}\u0000${span.kind}\u0000${span.name}`);
      const durationMs = outline.durationsMs[row] ?? 0;
      const waits = waitName.test(span.name) && span.kind !== "server";
      const unusual = peer !== undefined && durationMs >= slowFactorMin * peer.p50Ms;
      return unusual || waits
        ? [{ span, row, ownMs, peer: unusual ? peer : undefined, waits }]
        : [];
    })
    .sort((a, b) => b.ownMs - a.ownMs)
    .slice(0, statementsOfKindMax)
    .map(({ span, row, ownMs, peer, waits }) => {
      const entity = serviceEntity(span);
      note(entity);
      const than = peer
        ? `; the whole span usually takes ${milliseconds(peer.p50Ms)} (95 % below ${milliseconds(peer.p95Ms)})`
        : "";
      const why = waits
        ? " It is a wait for something that the process has too little of, not work."
        : "";
      return {
        kind: "slow",
        text: `${span.service} spent ${milliseconds(ownMs)} in “${span.name}” itself${than}.${why}`,
        row,
        entity,
        path: entity ? entityPath(entity) : null,
      };
    });
}

/** Changes of the services that a sentence names: those are suspects, the others bystanders. */
function changesBefore(
  { joins }: TraceFacts,
  involved: ReadonlyMap<string, EntityRef>,
): Statement[] {
  return (
    joins.changes
      .filter(
        ({ serviceId, at }) => serviceId !== null && involved.has(serviceId) && at <= joins.at,
      )
      // What was made new had no traffic to harm before.
      .filter(({ kind }) => kind !== "config-created")
      .slice(0, statementsOfKindMax)
      .map((change) => ({
        kind: "change",
        text: `${agoText(joins.at - change.at)} before it, ${changeText(change)}.`,
        row: null,
        entity: change.object,
        path: webPaths.changes({ id: change.id }),
      }))
  );
}

function agoText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
