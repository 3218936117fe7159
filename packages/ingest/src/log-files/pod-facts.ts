/** Labels and nodes of pods as the Kubernetes API tells them, kept at hand by a watch; what is gone is gone. */
import type { Clock } from "@skopos/model";
import { type KubeObject, Reflector } from "../discovery/reflector.ts";
import { givenApi, type KubeAccess } from "../scrape/scraper.ts";
import type { PodFacts } from "./log-tailer.ts";

export class PodWatch {
  readonly #reflector: Reflector;
  #byUid = new Map<string, KubeObject>();
  #byName = new Map<string, KubeObject>();
  #tellListed: () => void = () => undefined;
  /** Resolves when the pods have been listed once: before, none is known. */
  readonly listed = new Promise<void>((resolve) => (this.#tellListed = resolve));

  /** `node` narrows the watch to the pods of one node. */
  constructor(access: KubeAccess, clock: Clock, node: string | undefined) {
    this.#reflector = new Reflector({
      api: givenApi(access),
      path: "/api/v1/pods",
      fieldSelector: node === undefined ? "" : `spec.nodeName=${node}`,
      clock,
      onChange: () => this.#changed(),
    });
    this.#reflector.start();
  }

  podOf(uid: string, namespace: string, pod: string): PodFacts | undefined {
    // Static pods have a directory named after the hash of their manifest, not after the mirror's uid.
    const object = this.#byUid.get(uid) ?? this.#byName.get(`${namespace}/${pod}`);
    if (!object) return undefined;
    const spec = object["spec"];
    const node =
      typeof spec === "object" && spec !== null && "nodeName" in spec ? spec.nodeName : "";
    return { labels: object.metadata.labels ?? {}, node: typeof node === "string" ? node : "" };
  }

  stop(): Promise<void> {
    return this.#reflector.stop();
  }

  #changed(): void {
    const objects = [...this.#reflector.objects.values()];
    this.#byUid = new Map(objects.map((object) => [object.metadata.uid ?? "", object]));
    this.#byName = new Map(
      objects.map((object) => [
        `${object.metadata.namespace ?? ""}/${object.metadata.name}`,
        object,
      ]),
    );
    this.#tellListed();
  }
}
