import { field, isObject, type JsonObject, listAt, mapAt, stringAt } from "./json.ts";
import type { KubeObject } from "./object.ts";
import { type FieldError, invalidValue } from "./status-error.ts";

/**
 * What the real server's admission plug-ins and allocators add to objects on their way in: cluster addresses and node
 * ports of Services, the service account, tolerations and quality-of-service class of Pods. Changes `object` in place.
 */
export type AllocationContext = {
  /** "10.96.0.0/16": where cluster addresses are taken from. */
  serviceCidr: string;
  services: () => readonly KubeObject[];
};

export function admitPod(object: JsonObject): void {
  const spec = object["spec"];
  if (!isObject(spec)) return;
  if (field(spec, "serviceAccountName") === undefined) {
    spec["serviceAccountName"] = "default";
    spec["serviceAccount"] = "default";
  }
  spec["priority"] ??= 0;
  spec["preemptionPolicy"] ??= "PreemptLowerPriority";
  const tolerations = listAt(spec, "tolerations");
  for (const condition of ["not-ready", "unreachable"]) {
    const key = `node.kubernetes.io/${condition}`;
    if (tolerations.some((each) => stringAt(each, "key") === key)) continue;
    tolerations.push({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 });
  }
  spec["tolerations"] = tolerations;
  object["status"] = { phase: "Pending", qosClass: qosClassOf(spec) };
}

function qosClassOf(spec: JsonObject): string {
  let guaranteed = true;
  let any = false;
  for (const container of listAt(spec, "containers")) {
    const limits = mapAt(container, "resources", "limits");
    const requests = mapAt(container, "resources", "requests");
    if (Object.keys(limits).length + Object.keys(requests).length > 0) any = true;
    for (const resource of ["cpu", "memory"]) {
      const limit = limits[resource];
      if (limit === undefined || (requests[resource] ?? limit) !== limit) guaranteed = false;
    }
  }
  return guaranteed ? "Guaranteed" : any ? "Burstable" : "BestEffort";
}

/** Gives a Service its addresses and node ports, keeping those it had. Findings mean it cannot have what it asks for. */
export function admitService(
  object: JsonObject,
  previous: KubeObject | undefined,
  context: AllocationContext,
): FieldError[] {
  const spec = object["spec"];
  if (!isObject(spec) || spec["type"] === "ExternalName") return [];
  const kept = stringAt(previous, "spec", "clusterIP");
  let address = stringAt(spec, "clusterIP") ?? "";
  if (address === "") address = kept ?? "";
  const others = context.services().filter((each) => each.metadata.uid !== previous?.metadata.uid);
  const taken = new Set(others.map((each) => stringAt(each, "spec", "clusterIP")));
  if (address === "") address = freeAddress(context.serviceCidr, taken);
  else if (address !== "None" && address !== kept && taken.has(address)) {
    const why = `failed to allocate IP ${address}: provided IP is already allocated`;
    return [invalidValue("spec.clusterIPs", [address], why)];
  }
  spec["clusterIP"] = address;
  spec["clusterIPs"] = [address];
  if (spec["type"] === "NodePort" || spec["type"] === "LoadBalancer") {
    allocateNodePorts(spec, previous, others);
  }
  return [];
}

function allocateNodePorts(
  spec: JsonObject,
  previous: KubeObject | undefined,
  others: readonly KubeObject[],
): void {
  const taken = new Set<unknown>();
  for (const service of others) {
    for (const port of listAt(service, "spec", "ports")) taken.add(mapAt(port)["nodePort"]);
  }
  let next = 30_000;
  for (const port of listAt(spec, "ports")) {
    if (!isObject(port) || field(port, "nodePort") !== undefined) continue;
    const before = listAt(previous, "spec", "ports").find(
      (each) => mapAt(each)["port"] === port["port"],
    );
    const kept = mapAt(before)["nodePort"];
    while (taken.has(next)) next++;
    port["nodePort"] = kept ?? next++;
  }
}

/** The lowest free address of the range after the first, which is the API server's own. */
function freeAddress(cidr: string, taken: ReadonlySet<string | undefined>): string {
  const [network = "", bits = "32"] = cidr.split("/");
  const base = network.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(bits));
  for (let host = 1; host < size - 1; host++) {
    const value = base + host;
    const address = [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
    if (!taken.has(address)) return address;
  }
  return "";
}
