/**
 * Runbooks are data. A runbook says for which mechanisms and kinds of culprit change it is meant, which figures to look at
 * first, which typed action to propose, and how the effect is judged:
 *
 *     id: undo-rollout
 *     title: Undo a rollout that harms the service
 *     when: { mechanisms: [bad-rollout, slow-rollout], changes: [rollout] }   # `changes` absent: with or without a change
 *     steps:
 *       - check: Share of requests that fail
 *         query: sum(rate(istio_requests_total{reporter="destination", destination_canonical_service="{{name}}"}[1m]))
 *         unit: per-second              # ms | ratio | per-second | count
 *       - action: rollout-undo          # or "from-change": whatever undoes the culprit change
 *       - verify: The callers' error ratio and latency are back, and stay back
 *       - advise: What a person has to do where no typed action exists
 *
 * `{{name}}`, `{{namespace}}` and `{{id}}` stand for the node that is blamed. The first runbook that matches is used.
 */
import { mechanisms, SkoposError } from "@skopos/model";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { z } from "zod";

const mechanismNames = new Set(Object.keys(mechanisms));

const runbookFile = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]+$/),
  title: z.string(),
  when: z.strictObject({
    mechanisms: z.array(z.string().refine((name) => mechanismNames.has(name), "no such mechanism")),
    changes: z
      .array(
        z.enum([
          "rollout",
          "scale",
          "config-created",
          "config-updated",
          "config-deleted",
          "restart",
          "none",
        ]),
      )
      .optional(),
  }),
  steps: z
    .array(
      z.union([
        z.strictObject({
          check: z.string(),
          query: z.string(),
          unit: z.enum(["ms", "ratio", "per-second", "count"]),
        }),
        z.strictObject({
          action: z.enum([
            "from-change",
            "rollout-undo",
            "restore-object",
            "delete-object",
            "recreate-object",
            "scale",
          ]),
        }),
        z.strictObject({ verify: z.string() }),
        z.strictObject({ advise: z.string() }),
      ]),
    )
    .min(1),
});
export type RunbookDefinition = z.infer<typeof runbookFile>;

/** Throws `bad-runbook` with the file and what is wrong. */
export function parseRunbook(text: string, file: string): RunbookDefinition {
  let data: unknown;
  try {
    data = parse(text);
  } catch (cause) {
    throw new SkoposError("bad-runbook", `${file}: ${String(cause)}`, { cause });
  }
  const read = runbookFile.safeParse(data);
  if (read.success) return read.data;
  throw new SkoposError("bad-runbook", `${file}: ${z.prettifyError(read.error)}`);
}

/** Reads every `.yaml` of a folder, by name. */
export async function loadRunbooks(dir: string): Promise<RunbookDefinition[]> {
  const files = (await readdir(dir)).filter((name) => name.endsWith(".yaml")).sort();
  return await Promise.all(
    files.map(async (name) => parseRunbook(await readFile(path.join(dir, name), "utf8"), name)),
  );
}

export function matchRunbook(
  runbooks: readonly RunbookDefinition[],
  mechanism: string,
  changeKind: string | undefined,
): RunbookDefinition | undefined {
  return runbooks.find(
    ({ when }) =>
      when.mechanisms.includes(mechanism) &&
      (when.changes === undefined || when.changes.some((kind) => kind === (changeKind ?? "none"))),
  );
}

export function fillIn(text: string, nodeId: string): string {
  const [namespace = "", name = nodeId] = nodeId.split("/");
  return text
    .replaceAll("{{name}}", name)
    .replaceAll("{{namespace}}", namespace)
    .replaceAll("{{id}}", nodeId);
}
