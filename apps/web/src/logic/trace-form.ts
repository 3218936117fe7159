/** The simple part of TraceQL that a form can hold. A query the form cannot hold stays as text. */
import { formatDuration, parseDuration } from "@skopos/model";

export interface TraceForm {
  readonly service: string;
  readonly minMs: number | null;
  readonly errors: boolean;
}

export const emptyTraceForm: TraceForm = { service: "", minMs: null, errors: false };

export function writeTraceForm({ service, minMs, errors }: TraceForm): string {
  const conditions = [
    ...(service ? [`resource.service.name = ${JSON.stringify(service)}`] : []),
    ...(minMs === null ? [] : [`duration >= ${formatDuration(minMs)}`]),
    ...(errors ? ["status = error"] : []),
  ];
  return conditions.length === 0 ? "" : `{ ${conditions.join(" && ")} }`;
}

/** `null` when the query says more than the form can show. */
export function readTraceForm(query: string): TraceForm | null {
  const text = query.trim();
  if (text === "" || /^\{\s*\}$/.test(text)) return emptyTraceForm;
  const inside = /^\{(.*)\}$/s.exec(text)?.[1];
  if (inside === undefined) return null;
  let form = emptyTraceForm;
  for (const part of inside.split("&&").map((one) => one.trim())) {
    const service = /^resource\.service\.name\s*=\s*"((?:[^"\\]|\\.)*)"$/.exec(part)?.[1];
    const duration = /^duration\s*>=?\s*(\S+)$/.exec(part)?.[1];
    if (service !== undefined) form = { ...form, service };
    else if (duration !== undefined) {
      const minMs = readDuration(duration);
      if (minMs === null) return null;
      form = { ...form, minMs };
    } else if (/^status\s*=\s*error$/.test(part)) form = { ...form, errors: true };
    else return null;
  }
  return form;
}

/** "250ms", "1s"; a bare number is milliseconds. */
export function readDuration(text: string): number | null {
  const said = text.trim();
  if (/^\d+$/.test(said)) return Number(said);
  try {
    return parseDuration(said);
  } catch {
    return null; // Still being typed.
  }
}
