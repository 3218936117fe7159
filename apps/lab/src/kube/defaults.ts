import {
  ensureMap,
  field,
  isObject,
  type Json,
  type JsonObject,
  listAt,
  mapAt,
  setDefault,
  stringAt,
  textOf,
  valueAt,
} from "./json.ts";

/**
 * Values the real server fills in on every write of the built-in kinds (k8s.io/kubernetes `SetDefaults_*`), changed in
 * place. Defaulting is idempotent.
 */
export function applyDefaults(kind: string, object: JsonObject): void {
  defaults[kind]?.(object);
}

const defaults: Readonly<Record<string, (object: JsonObject) => void>> = {
  Pod(object) {
    const spec = ensureMap(object, "spec");
    setDefault(spec, "enableServiceLinks", true);
    defaultPodSpec(spec);
    for (const container of listAt(spec, "containers")) requestsFromLimits(container);
    ensureMap(object, "status");
  },
  Service: defaultService,
  Namespace(object) {
    const name = stringAt(object, "metadata", "name") ?? "";
    ensureMap(ensureMap(object, "metadata"), "labels")["kubernetes.io/metadata.name"] = name;
    setDefault(ensureMap(object, "spec"), "finalizers", ["kubernetes"]);
    setDefault(ensureMap(object, "status"), "phase", "Active");
  },
  Secret(object) {
    setDefault(object, "type", "Opaque");
    const plain = field(object, "stringData");
    if (!isObject(plain)) return;
    const data = ensureMap(object, "data");
    for (const [key, value] of Object.entries(plain)) {
      data[key] = Buffer.from(textOf(value)).toString("base64");
    }
    delete object["stringData"];
  },
  Deployment(object) {
    const spec = ensureMap(object, "spec");
    setDefault(spec, "replicas", 1);
    setDefault(spec, "revisionHistoryLimit", 10);
    setDefault(spec, "progressDeadlineSeconds", 600);
    const strategy = ensureMap(spec, "strategy");
    setDefault(strategy, "type", "RollingUpdate");
    if (strategy["type"] === "RollingUpdate") {
      const rolling = ensureMap(strategy, "rollingUpdate");
      setDefault(rolling, "maxUnavailable", "25%");
      setDefault(rolling, "maxSurge", "25%");
    }
    defaultTemplate(spec);
    ensureMap(object, "status");
  },
  ReplicaSet(object) {
    const spec = ensureMap(object, "spec");
    setDefault(spec, "replicas", 1);
    defaultTemplate(spec);
    setDefault(ensureMap(object, "status"), "replicas", 0);
  },
  StatefulSet(object) {
    const spec = ensureMap(object, "spec");
    setDefault(spec, "replicas", 1);
    setDefault(spec, "revisionHistoryLimit", 10);
    setDefault(spec, "podManagementPolicy", "OrderedReady");
    setDefault(spec, "updateStrategy", { type: "RollingUpdate", rollingUpdate: { partition: 0 } });
    setDefault(spec, "persistentVolumeClaimRetentionPolicy", {
      whenDeleted: "Retain",
      whenScaled: "Retain",
    });
    defaultTemplate(spec);
    const status = ensureMap(object, "status");
    setDefault(status, "replicas", 0);
    setDefault(status, "availableReplicas", 0);
  },
  DaemonSet(object) {
    const spec = ensureMap(object, "spec");
    setDefault(spec, "revisionHistoryLimit", 10);
    const rollingUpdate = { maxUnavailable: 1, maxSurge: 0 };
    setDefault(spec, "updateStrategy", { type: "RollingUpdate", rollingUpdate });
    defaultTemplate(spec);
    const status = ensureMap(object, "status");
    for (const count of [
      "currentNumberScheduled",
      "desiredNumberScheduled",
      "numberMisscheduled",
      "numberReady",
    ]) {
      setDefault(status, count, 0);
    }
  },
  Endpoints(object) {
    for (const subset of listAt(object, "subsets")) defaultProtocols(subset);
  },
  EndpointSlice(object) {
    defaultProtocols(object);
    for (const port of listAt(object, "ports")) if (isObject(port)) setDefault(port, "name", "");
  },
  HorizontalPodAutoscaler(object) {
    setDefault(ensureMap(object, "spec"), "minReplicas", 1);
  },
};

function defaultProtocols(owner: Json): void {
  for (const port of listAt(owner, "ports"))
    if (isObject(port)) setDefault(port, "protocol", "TCP");
}

function defaultTemplate(spec: JsonObject): void {
  const template = ensureMap(spec, "template");
  setDefault(ensureMap(template, "metadata"), "creationTimestamp", null);
  defaultPodSpec(ensureMap(template, "spec"));
}

function defaultPodSpec(spec: JsonObject): void {
  setDefault(spec, "restartPolicy", "Always");
  setDefault(spec, "terminationGracePeriodSeconds", 30);
  setDefault(spec, "dnsPolicy", "ClusterFirst");
  setDefault(spec, "securityContext", {});
  setDefault(spec, "schedulerName", "default-scheduler");
  const account = field(spec, "serviceAccountName") ?? field(spec, "serviceAccount");
  if (account !== undefined && account !== "") {
    spec["serviceAccountName"] = account;
    spec["serviceAccount"] = account;
  }
  for (const list of ["initContainers", "containers"]) {
    for (const container of listAt(spec, list))
      if (isObject(container)) defaultContainer(container);
  }
  for (const volume of listAt(spec, "volumes")) if (isObject(volume)) defaultVolume(volume);
}

function defaultContainer(container: JsonObject): void {
  const image = stringAt(container, "image") ?? "";
  const tag = /:([^/:@]+)$/.exec(image.split("@")[0] ?? "")?.[1];
  const pullsAlways = !image.includes("@") && (tag === undefined || tag === "latest");
  setDefault(container, "imagePullPolicy", pullsAlways ? "Always" : "IfNotPresent");
  setDefault(container, "resources", {});
  setDefault(container, "terminationMessagePath", "/dev/termination-log");
  setDefault(container, "terminationMessagePolicy", "File");
  defaultProtocols(container);
  for (const name of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    const probe = field(container, name);
    if (isObject(probe)) defaultProbe(probe);
  }
  for (const env of listAt(container, "env")) {
    const fieldRef = valueAt(env, "valueFrom", "fieldRef");
    if (isObject(fieldRef)) setDefault(fieldRef, "apiVersion", "v1");
  }
}

function defaultProbe(probe: JsonObject): void {
  setDefault(probe, "timeoutSeconds", 1);
  setDefault(probe, "periodSeconds", 10);
  setDefault(probe, "successThreshold", 1);
  setDefault(probe, "failureThreshold", 3);
  const http = field(probe, "httpGet");
  if (!isObject(http)) return;
  setDefault(http, "path", "/");
  setDefault(http, "scheme", "HTTP");
}

function defaultVolume(volume: JsonObject): void {
  if (Object.keys(volume).length === 1) volume["emptyDir"] = {};
  for (const source of ["configMap", "secret", "projected", "downwardAPI"]) {
    const present = field(volume, source);
    if (isObject(present)) setDefault(present, "defaultMode", 420);
  }
}

function requestsFromLimits(container: Json): void {
  if (!isObject(container)) return;
  const limits = mapAt(container, "resources", "limits");
  if (Object.keys(limits).length === 0) return;
  const requests = ensureMap(ensureMap(container, "resources"), "requests");
  for (const [resource, quantity] of Object.entries(limits))
    setDefault(requests, resource, quantity);
}

function defaultService(object: JsonObject): void {
  const spec = ensureMap(object, "spec");
  setDefault(spec, "type", "ClusterIP");
  setDefault(spec, "sessionAffinity", "None");
  const external = spec["type"] === "ExternalName";
  for (const port of listAt(spec, "ports")) {
    if (!isObject(port)) continue;
    setDefault(port, "protocol", "TCP");
    const target = field(port, "targetPort");
    const number = field(port, "port");
    if (
      !external &&
      number !== undefined &&
      (target === undefined || target === 0 || target === "")
    )
      port["targetPort"] = number;
  }
  if (external) return;
  setDefault(spec, "internalTrafficPolicy", "Cluster");
  setDefault(spec, "ipFamilies", ["IPv4"]);
  setDefault(spec, "ipFamilyPolicy", "SingleStack");
  if (spec["type"] !== "ClusterIP") setDefault(spec, "externalTrafficPolicy", "Cluster");
  if (spec["type"] === "LoadBalancer") setDefault(spec, "allocateLoadBalancerNodePorts", true);
  setDefault(ensureMap(object, "status"), "loadBalancer", {});
}
