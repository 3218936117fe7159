/** The scenario file: something that goes wrong with the mesh, as data. See the lab's README for the format. */
import { type Mechanism, mechanisms } from "@skopos/model";
import { z } from "zod";
import { parseYamlDocument } from "../document/yaml-document.ts";
import { loadShapes } from "../load/shape.ts";

const namespacedName = z
  .string()
  .regex(/^[a-z0-9-]+\/[a-z0-9.-]+$/, 'must be "namespace/name", as "socialstream/user-service"');
const environment = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String))
  .refine((env) => Object.keys(env).length > 0, "names no variable");

const objectReference = z.strictObject({
  kind: z.string().min(1),
  namespace: z.string().optional(),
  name: z.string().min(1),
});

const applySchema = z.strictObject({
  apply: z.looseObject({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
  }),
});

/** One thing done to the mesh. Exactly one of these keys per step. */
const stepSchema = z.union([
  applySchema,
  z.strictObject({
    patch: objectReference.extend({
      type: z.enum(["merge", "strategic", "json"]).default("merge"),
      patch: z.union([z.looseObject({}), z.array(z.looseObject({}))]),
    }),
  }),
  z.strictObject({ delete: objectReference }),
  z.strictObject({
    setEnv: z.strictObject({
      deployment: namespacedName,
      container: z.string().default("app"),
      env: environment,
    }),
  }),
  z.strictObject({
    setImage: z.strictObject({
      deployment: namespacedName,
      container: z.string().default("app"),
      /** The whole image, or only its tag. */
      image: z.string().optional(),
      tag: z.string().optional(),
    }),
  }),
  z.strictObject({
    scale: z.strictObject({
      deployment: namespacedName,
      replicas: z.number().int().min(0).max(20),
    }),
  }),
  z.strictObject({
    load: z.strictObject({
      rps: z.number().min(0).max(5000).optional(),
      /** Times the load that was there. */
      factor: z.number().min(0).max(20).optional(),
      shape: z.enum(loadShapes).optional(),
    }),
  }),
  z.strictObject({ wait: z.strictObject({ seconds: z.number().min(0).max(300) }) }),
]);

const stepKeys = ["apply", "patch", "delete", "setEnv", "setImage", "scale", "load", "wait"];
const step = z
  .looseObject({})
  .superRefine((value, context) => {
    const given = Object.keys(value);
    if (given.length === 1 && stepKeys.includes(given[0] ?? "")) return;
    const message = `a step is exactly one of ${stepKeys.join(", ")}; this has ${given.join(", ") || "none"}`;
    context.addIssue({ code: "custom", message });
  })
  .pipe(stepSchema);

const mechanismNames = Object.keys(mechanisms);

const scenarioSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "must be lower case words joined by '-'"),
  title: z.string().min(1),
  description: z.string().min(1),
  steps: z.array(step).min(1, "a scenario without steps breaks nothing: add one").max(50),
  /** For tests and the scorer alone; never shown by the lab. */
  groundTruth: z.strictObject({
    node: z.strictObject({ namespace: z.string(), name: z.string() }),
    mechanism: z.string().refine((name): name is Mechanism => mechanismNames.includes(name), {
      error: `must be one of: ${mechanismNames.join(", ")}`,
    }),
    change: objectReference.optional(),
  }),
});

export type Scenario = z.output<typeof scenarioSchema>;
export type ScenarioStep = Scenario["steps"][number];

/** Throws `DocumentError` with line and column. */
export function parseScenario(text: string, source: string): Scenario {
  return parseYamlDocument(text, source, scenarioSchema);
}
