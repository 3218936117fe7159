/**
 * Carries out a scenario's steps on the running lab, and undoes them: the state of each touched object and of the load
 * is kept before it is changed, and put back by `mend`. One scenario at a time.
 */
import { setTimeout as wait } from "node:timers/promises";
import { messageOf, SkoposError } from "@skopos/model";
import { clone, isObject, type Json, type JsonObject, jsonEqual } from "../kube/json.ts";
import { kindNamed } from "../kube/kinds.ts";
import type { KubeObject } from "../kube/object.ts";
import type { KubeStore } from "../kube/store.ts";
import type { LoadShape } from "../load/shape.ts";
import type { LoadReport } from "../load/report.ts";
import type { Scenario, ScenarioStep } from "./scenario-file.ts";

/** The part of the load that scenarios change. */
interface AdjustableLoad {
  readonly latest: Pick<LoadReport, "wantedRps" | "shape"> | undefined;
  set(rps: number, shape: LoadShape): void;
}

export interface BreakageOptions {
  readonly store: KubeStore;
  readonly load: AdjustableLoad;
  readonly log: (message: string) => void;
}

export interface Broken {
  readonly name: string;
  readonly title: string;
  readonly sinceMs: number;
}

interface PreImage {
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
  /** Undefined: it did not exist. */
  readonly object: KubeObject | undefined;
}

interface Reference {
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** Writes as a person with kubectl would, so that the objects' managers tell no more than in a real cluster. */
const fieldManager = "kubectl-edit";

export class Breakage {
  readonly #options: BreakageOptions;
  /** First touched first. */
  #before: PreImage[] = [];
  #loadBefore: { rps: number; shape: LoadShape } | undefined;
  #broken: Broken | undefined;
  #busy = false;

  constructor(options: BreakageOptions) {
    this.#options = options;
  }

  get broken(): Broken | undefined {
    return this.#broken;
  }

  /** Carries out the steps in order; undoes them again when one fails. */
  async break(scenario: Scenario): Promise<Broken> {
    if (this.#broken !== undefined || this.#busy) {
      const name = this.#broken?.name ?? "another scenario";
      throw new SkoposError("already-broken", `"${name}" is in force: mend first`);
    }
    this.#busy = true;
    const { name, title } = scenario;
    try {
      for (const [i, step] of scenario.steps.entries()) await this.#run(step, i);
    } catch (error) {
      this.#restore();
      throw error;
    } finally {
      this.#busy = false;
    }
    this.#broken = { name, title, sinceMs: Date.now() };
    return this.#broken;
  }

  /** Puts everything back as it was before; does nothing when nothing is broken. */
  mend(): Broken | undefined {
    const was = this.#broken;
    this.#restore();
    this.#broken = undefined;
    return was;
  }

  async #run(step: ScenarioStep, index: number): Promise<void> {
    try {
      await this.#carryOut(step);
    } catch (error) {
      const message = `step ${index + 1} (${Object.keys(step)[0]}) failed: ${messageOf(error)}`;
      throw new SkoposError("scenario-failed", message, { cause: error });
    }
  }

  async #carryOut(step: ScenarioStep): Promise<void> {
    const { store } = this.#options;
    if ("wait" in step) await wait(step.wait.seconds * 1000);
    else if ("load" in step) this.#setLoad(step.load);
    else if ("apply" in step) this.#apply(step.apply as KubeObject);
    else if ("patch" in step) {
      const { type, patch } = step.patch;
      this.#patch(step.patch, type, patch as Json);
    } else if ("delete" in step) {
      const { kind, name } = step.delete;
      store.delete(kind, this.#keep(step.delete, true).namespace, name);
    } else if ("scale" in step) {
      this.#patch(deployment(step.scale.deployment), "merge", {
        spec: { replicas: step.scale.replicas },
      });
    } else if ("setEnv" in step) this.#setEnv(step.setEnv);
    else this.#setImage(step.setImage);
  }

  #setLoad(wanted: Extract<ScenarioStep, { load: unknown }>["load"]): void {
    const { load } = this.#options;
    const now = load.latest;
    if (now === undefined) throw new Error("the load has not begun yet: try again in a second");
    this.#loadBefore ??= { rps: now.wantedRps, shape: now.shape };
    load.set(wanted.rps ?? now.wantedRps * (wanted.factor ?? 1), wanted.shape ?? now.shape);
  }

  #apply(object: KubeObject): void {
    const { namespace } = this.#keep({ kind: object.kind, ...object.metadata }, false);
    const { store } = this.#options;
    const { name } = object.metadata;
    const manager = { fieldManager: "kubectl-client-side-apply" };
    if (store.get(object.kind, namespace, name) === undefined) store.create(object, manager);
    else store.patch(object.kind, namespace, name, "merge", object, manager);
  }

  #patch(reference: Reference, type: "merge" | "strategic" | "json", patch: Json): void {
    const { kind, namespace, name } = this.#keep(reference, true);
    this.#options.store.patch(kind, namespace, name, type, patch, { fieldManager });
  }

  #setEnv(wanted: Extract<ScenarioStep, { setEnv: unknown }>["setEnv"]): void {
    const env = Object.entries(wanted.env).map(([name, value]) => ({ name, value }));
    const containers = [{ name: this.#container(wanted), env }];
    const spec = { template: { spec: { containers } } };
    this.#patch(deployment(wanted.deployment), "strategic", { spec });
  }

  #setImage(wanted: Extract<ScenarioStep, { setImage: unknown }>["setImage"]): void {
    const name = this.#container(wanted);
    const reference = deployment(wanted.deployment);
    const current = this.#options.store.get("Deployment", reference.namespace, reference.name);
    const present = current?.spec.template.spec.containers.find(
      (each) => each.name === name,
    )?.image;
    if ((wanted.image === undefined) === (wanted.tag === undefined)) {
      throw new Error('give either "image" or "tag"');
    }
    const image = wanted.image ?? `${present?.slice(0, present.lastIndexOf(":"))}:${wanted.tag}`;
    const template: JsonObject = { spec: { containers: [{ name, image }] } };
    // As rollouts in an Istio mesh do: the pod's version label goes with the image.
    if (current?.spec.template.metadata.labels?.["version"] !== undefined) {
      template["metadata"] = { labels: { version: image.slice(image.lastIndexOf(":") + 1) } };
    }
    this.#patch(reference, "strategic", { spec: { template } });
  }

  /** The named container, which must exist: a strategic patch would silently add it. */
  #container(wanted: { deployment: string; container: string }): string {
    const { namespace, name } = deployment(wanted.deployment);
    const found = this.#options.store.get("Deployment", namespace, name);
    const names = found?.spec.template.spec.containers.map((each) => each.name) ?? [];
    if (found !== undefined && !names.includes(wanted.container)) {
      const message = `${wanted.deployment} has no container "${wanted.container}": it has ${names.join(", ")}`;
      throw new Error(message);
    }
    return wanted.container;
  }

  /** Remembers an object before it is first touched. */
  #keep(reference: Reference, mustExist: boolean): PreImage {
    const kind = kindNamed(reference.kind);
    if (kind === undefined) throw new Error(`no kind "${reference.kind}" is known here`);
    const namespace = kind.namespaced ? (reference.namespace ?? "default") : undefined;
    const object = this.#options.store.get(kind.kind, namespace, reference.name);
    if (mustExist && object === undefined) {
      const where = namespace === undefined ? "" : ` in namespace ${namespace}`;
      throw new Error(`there is no ${kind.kind} "${reference.name}"${where}`);
    }
    const image = { kind: kind.kind, namespace, name: reference.name, object };
    if (!this.#before.some((each) => sameObject(each, image))) this.#before.push(image);
    return image;
  }

  #restore(): void {
    for (const image of this.#before.splice(0).reverse()) {
      try {
        this.#putBack(image);
      } catch (error) {
        this.#options.log(`${image.kind} ${image.name} was not put back: ${messageOf(error)}`);
      }
    }
    if (this.#loadBefore !== undefined) {
      this.#options.load.set(this.#loadBefore.rps, this.#loadBefore.shape);
      this.#loadBefore = undefined;
    }
  }

  #putBack({ kind, namespace, name, object }: PreImage): void {
    const { store } = this.#options;
    const current = store.get(kind, namespace, name);
    if (object === undefined) {
      if (current !== undefined) store.delete(kind, namespace, name);
      return;
    }
    if (current === undefined) {
      store.create(withoutServerFields(object), { fieldManager });
      return;
    }
    const restored = contentOf(object);
    if (jsonEqual(restored, contentOf(current))) return;
    const metadata = { ...current.metadata, ...labelsAndAnnotations(object, current) };
    store.update({ apiVersion: current.apiVersion, kind, ...restored, metadata }, { fieldManager });
  }
}

function deployment(reference: string): { kind: string; namespace: string; name: string } {
  const [namespace = "", name = ""] = reference.split("/");
  return { kind: "Deployment", namespace, name };
}

function sameObject(one: PreImage, other: PreImage): boolean {
  return one.kind === other.kind && one.namespace === other.namespace && one.name === other.name;
}

/** What people write: everything but metadata and status. */
function contentOf(object: KubeObject): JsonObject {
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...content } = clone(object);
  delete content["status"];
  return content;
}

function labelsAndAnnotations(object: KubeObject, current: KubeObject) {
  const revision = "deployment.kubernetes.io/revision";
  const annotations = { ...object.metadata.annotations };
  const present = current.metadata.annotations?.[revision];
  // Which revision is current is for the Deployment controller to say.
  if (present !== undefined) annotations[revision] = present;
  return { labels: { ...object.metadata.labels }, annotations };
}

function withoutServerFields(object: KubeObject): KubeObject {
  const copy = clone(object);
  const { name, namespace, labels, annotations } = copy.metadata;
  delete copy["status"];
  if (copy.kind === "Service" && isObject(copy["spec"])) {
    // Its old address may have gone to another Service meanwhile.
    delete copy["spec"]["clusterIP"];
    delete copy["spec"]["clusterIPs"];
  }
  return {
    ...copy,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
  };
}
