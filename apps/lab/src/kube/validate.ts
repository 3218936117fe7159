import {
  isObject,
  type Json,
  type JsonObject,
  jsonEqual,
  listAt,
  mapAt,
  stringAt,
  textOf,
  valueAt,
} from "./json.ts";
import type { Kind } from "./kinds.ts";
import { parseQuantity, quantityMessage } from "./quantity.ts";
import { selectorOf, selects } from "./selectors.ts";
import {
  duplicateValue,
  type FieldError,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from "./status-error.ts";

/**
 * Semantic validation of objects whose types already fit, with the messages of k8s.io/kubernetes
 * `pkg/apis/…/validation`. Returns findings; an empty list means valid.
 */
const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const dns1035Label = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const qualifiedName = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const envName = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;

const subdomainMessage =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const labelMessage =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const label1035Message =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const labelValueMessage =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const qualifiedMessage =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

type Report = (error: FieldError) => void;

export function validate(kind: Kind, object: JsonObject, previous?: JsonObject): FieldError[] {
  const errors: FieldError[] = [];
  const report: Report = (error) => errors.push(error);
  validateMetadata(kind, object, report);
  byKind[kind.kind]?.(object, report);
  if (previous !== undefined) {
    immutable(kind.kind, object, previous, report);
  }
  return errors;
}

function validateMetadata(kind: Kind, object: JsonObject, report: Report): void {
  const name = stringAt(object, "metadata", "name") ?? "";
  const path = "metadata.name";
  if (name === "") report(required(path, "name or generateName is required"));
  else if (kind.kind === "Service") {
    if (!dns1035Label.test(name)) report(invalidValue(path, name, label1035Message));
    else if (name.length > 63)
      report(invalidValue(path, name, "must be no more than 63 characters"));
  } else if (kind.kind === "Namespace") {
    if (!dnsLabel.test(name)) report(invalidValue(path, name, labelMessage));
  } else if (!dnsSubdomain.test(name)) report(invalidValue(path, name, subdomainMessage));
  if (name.length > 253) report(invalidValue(path, name, "must be no more than 253 characters"));
  validateLabels(mapAt(object, "metadata", "labels"), "metadata.labels", report);
  for (const key of Object.keys(mapAt(object, "metadata", "annotations"))) {
    validateQualifiedName(key, "metadata.annotations", report);
  }
}

function validateQualifiedName(key: string, path: string, report: Report): void {
  const [prefix, name] = key.includes("/") ? key.split(/\/(.*)/s) : [undefined, key];
  if (name === undefined || !qualifiedName.test(name))
    report(invalidValue(path, key, qualifiedMessage));
  else if (name.length > 63) {
    report(invalidValue(path, key, "name part must be no more than 63 characters"));
  }
  if (prefix !== undefined && !dnsSubdomain.test(prefix)) {
    report(invalidValue(path, key, `prefix part ${subdomainMessage}`));
  }
}

function validateLabels(labels: JsonObject, path: string, report: Report): void {
  for (const [key, value] of Object.entries(labels)) {
    validateQualifiedName(key, path, report);
    const text = textOf(value);
    if (!labelValue.test(text)) report(invalidValue(path, text, labelValueMessage));
    else if (text.length > 63) {
      report(invalidValue(path, text, "must be no more than 63 characters"));
    }
  }
}

const byKind: Readonly<Record<string, (object: JsonObject, report: Report) => void>> = {
  Pod(object, report) {
    validatePodSpec(mapAt(object, "spec"), "spec", report);
  },
  Deployment(object, report) {
    validateWorkload(object, report);
    const strategy = mapAt(object, "spec", "strategy");
    const type = stringAt(strategy, "type");
    if (type !== "RollingUpdate" && type !== "Recreate") {
      report(notSupported("spec.strategy.type", type ?? "", ["Recreate", "RollingUpdate"]));
    }
    if (type === "Recreate" && strategy["rollingUpdate"] !== undefined) {
      const why = "may not be specified when strategy `type` is 'Recreate'";
      report(forbiddenField("spec.strategy.rollingUpdate", why));
    }
    validateRolling(mapAt(strategy, "rollingUpdate"), report);
  },
  ReplicaSet: validateWorkload,
  StatefulSet: validateWorkload,
  DaemonSet: validateWorkload,
  Service: validateService,
};

function validateRolling(rolling: JsonObject, report: Report): void {
  for (const name of ["maxUnavailable", "maxSurge"]) {
    const value = rolling[name];
    const path = `spec.strategy.rollingUpdate.${name}`;
    if (typeof value === "string" && !/^\d+%$/.test(value)) {
      const why =
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
      report(invalidValue(path, value, why));
    }
    nonNegative(value, path, report);
  }
  if (isNone(rolling["maxUnavailable"]) && isNone(rolling["maxSurge"])) {
    const path = "spec.strategy.rollingUpdate.maxUnavailable";
    report(invalidValue(path, rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0"));
  }
}

function isNone(portion: Json | undefined): boolean {
  return portion === 0 || portion === "0%";
}

function nonNegative(value: Json | undefined, path: string, report: Report): void {
  if (typeof value === "number" && value < 0) {
    report(invalidValue(path, value, "must be greater than or equal to 0"));
  }
}

function validateWorkload(object: JsonObject, report: Report): void {
  const spec = mapAt(object, "spec");
  for (const name of ["replicas", "minReadySeconds", "revisionHistoryLimit"]) {
    nonNegative(spec[name], `spec.${name}`, report);
  }
  const labels = mapAt(spec, "template", "metadata", "labels");
  validateLabels(labels, "spec.template.metadata.labels", report);
  const selector = spec["selector"];
  if (isObject(selector)) {
    const parsed = selectorOf(selector);
    const texts = Object.fromEntries(Object.entries(labels).map(([k, v]) => [k, textOf(v)]));
    if (parsed.length === 0) {
      report(invalidValue("spec.selector", selector, "empty selector is invalid for deployment"));
    } else if (!selects(parsed, texts)) {
      const why = "`selector` does not match template `labels`";
      report(invalidValue("spec.template.metadata.labels", labels, why));
    }
  }
  const podSpec = mapAt(spec, "template", "spec");
  validatePodSpec(podSpec, "spec.template.spec", report);
  const restart = stringAt(podSpec, "restartPolicy");
  if (restart !== "Always") {
    report(notSupported("spec.template.spec.restartPolicy", restart ?? "", ["Always"]));
  }
}

function validatePodSpec(spec: JsonObject, path: string, report: Report): void {
  const containers = listAt(spec, "containers");
  if (Array.isArray(spec["containers"]) && containers.length === 0) {
    report(required(`${path}.containers`));
  }
  const names = new Set<string>();
  for (const list of ["initContainers", "containers"]) {
    listAt(spec, list).forEach((container, index) => {
      if (isObject(container))
        validateContainer(container, `${path}.${list}[${index}]`, names, report);
    });
  }
  const policies = ["Always", "OnFailure", "Never"];
  const policy = stringAt(spec, "restartPolicy") ?? "";
  if (!policies.includes(policy)) report(notSupported(`${path}.restartPolicy`, policy, policies));
  const volumes = new Set(listAt(spec, "volumes").map((volume) => stringAt(volume, "name")));
  containers.forEach((container, index) => {
    listAt(container, "volumeMounts").forEach((mount, at) => {
      const name = stringAt(mount, "name") ?? "";
      if (volumes.has(name)) return;
      report({
        reason: "FieldValueNotFound",
        message: `Not found: ${JSON.stringify(name)}`,
        field: `${path}.containers[${index}].volumeMounts[${at}].name`,
      });
    });
  });
}

function validateContainer(
  container: JsonObject,
  path: string,
  names: Set<string>,
  report: Report,
): void {
  const name = stringAt(container, "name");
  if (name !== undefined) {
    if (!dnsLabel.test(name)) report(invalidValue(`${path}.name`, name, labelMessage));
    if (names.has(name)) report(duplicateValue(`${path}.name`, name));
    names.add(name);
  }
  if ((stringAt(container, "image") ?? "") === "") report(required(`${path}.image`));
  const policy = stringAt(container, "imagePullPolicy") ?? "";
  const policies = ["Always", "IfNotPresent", "Never"];
  if (!policies.includes(policy)) report(notSupported(`${path}.imagePullPolicy`, policy, policies));
  listAt(container, "ports").forEach((port, index) => {
    validatePort(valueAt(port, "containerPort"), `${path}.ports[${index}].containerPort`, report);
    validateProtocol(port, `${path}.ports[${index}].protocol`, report);
  });
  listAt(container, "env").forEach((env, index) => {
    const name = stringAt(env, "name") ?? "";
    if (!envName.test(name)) {
      const why =
        "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')";
      report(invalidValue(`${path}.env[${index}].name`, name, why));
    }
  });
  validateResources(mapAt(container, "resources"), `${path}.resources`, report);
}

function validateResources(resources: JsonObject, path: string, report: Report): void {
  for (const list of ["limits", "requests"]) {
    for (const [resource, value] of Object.entries(mapAt(resources, list))) {
      const at = `${path}.${list}.${resource}`;
      const quantity =
        typeof value === "string" || typeof value === "number" ? parseQuantity(value) : undefined;
      if (quantity === undefined) report(invalidValue(at, value, quantityMessage));
      else if (quantity < 0) {
        report(invalidValue(at, value, "must be greater than or equal to 0"));
      }
    }
  }
  for (const [resource, value] of Object.entries(mapAt(resources, "requests"))) {
    const limit = valueAt(resources, "limits", resource);
    if (typeof limit !== "string" && typeof limit !== "number") continue;
    const most = parseQuantity(limit);
    const asked = parseQuantity(textOf(value));
    if (most === undefined || asked === undefined || asked <= most) continue;
    const why = `must be less than or equal to ${resource} limit of ${textOf(limit)}`;
    report(invalidValue(`${path}.requests`, value, why));
  }
}

function validatePort(value: Json | undefined, path: string, report: Report): void {
  if (typeof value === "number" && (value < 1 || value > 65535)) {
    report(invalidValue(path, value, "must be between 1 and 65535, inclusive"));
  }
}

function validateProtocol(port: Json, path: string, report: Report): void {
  const protocol = stringAt(port, "protocol") ?? "";
  const known = ["SCTP", "TCP", "UDP"];
  if (!known.includes(protocol)) report(notSupported(path, protocol, known));
}

function validateService(object: JsonObject, report: Report): void {
  const spec = mapAt(object, "spec");
  const type = stringAt(spec, "type") ?? "";
  const types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
  if (!types.includes(type)) report(notSupported("spec.type", type, types));
  const ports = listAt(spec, "ports");
  const headless = spec["clusterIP"] === "None";
  if (ports.length === 0 && !headless && type !== "ExternalName") report(required("spec.ports"));
  if (type === "ExternalName" && (stringAt(spec, "externalName") ?? "") === "") {
    report(required("spec.externalName"));
  }
  const names = new Set<string>();
  const numbers = new Set<string>();
  ports.forEach((port, index) => {
    const path = `spec.ports[${index}]`;
    const name = stringAt(port, "name") ?? "";
    if (name === "" && ports.length > 1) report(required(`${path}.name`));
    if (name !== "" && !dnsLabel.test(name)) {
      report(invalidValue(`${path}.name`, name, labelMessage));
    }
    if (name !== "" && names.has(name)) report(duplicateValue(`${path}.name`, name));
    names.add(name);
    validatePort(valueAt(port, "port"), `${path}.port`, report);
    validatePort(valueAt(port, "targetPort"), `${path}.targetPort`, report);
    validateProtocol(port, `${path}.protocol`, report);
    const key = `${textOf(valueAt(port, "protocol"))}/${textOf(valueAt(port, "port"))}`;
    if (numbers.has(key)) report(duplicateValue(path, port));
    numbers.add(key);
  });
}

const fixedFields: Readonly<Record<string, readonly (readonly string[])[]>> = {
  Deployment: [["spec", "selector"]],
  ReplicaSet: [["spec", "selector"]],
  DaemonSet: [["spec", "selector"]],
  Secret: [["type"]],
};

function immutable(kind: string, object: JsonObject, previous: JsonObject, report: Report): void {
  for (const path of fixedFields[kind] ?? []) {
    const value = valueAt(object, ...path);
    if (!jsonEqual(value, valueAt(previous, ...path))) {
      report(invalidValue(path.join("."), value, "field is immutable"));
    }
  }
  if (kind === "Service" && stringAt(object, "spec", "type") !== "ExternalName") {
    const before = stringAt(previous, "spec", "clusterIP");
    const after = stringAt(object, "spec", "clusterIP");
    if (before !== undefined && before !== "" && after !== before) {
      report(invalidValue("spec.clusterIPs[0]", [after ?? ""], "may not change once set"));
    }
  }
  if (kind === "Pod") immutablePod(mapAt(object, "spec"), mapAt(previous, "spec"), report);
  if ((kind === "ConfigMap" || kind === "Secret") && valueAt(previous, "immutable") === true) {
    if (!jsonEqual(valueAt(object, "data"), valueAt(previous, "data"))) {
      report(forbiddenField("data", "field is immutable when `immutable` is set"));
    }
  }
}

/** Images, tolerations and deadlines may change on a running pod, nothing else; the scheduler sets the node once. */
function immutablePod(spec: JsonObject, previous: JsonObject, report: Report): void {
  const fixed = (from: JsonObject) => {
    const { activeDeadlineSeconds, tolerations, terminationGracePeriodSeconds, ...rest } = from;
    void activeDeadlineSeconds;
    void tolerations;
    void terminationGracePeriodSeconds;
    for (const list of ["initContainers", "containers"]) {
      if (!Array.isArray(rest[list])) continue;
      rest[list] = listAt(rest, list).map((each) =>
        isObject(each) ? { ...each, image: "" } : each,
      );
    }
    if (previous["nodeName"] === undefined) delete rest["nodeName"];
    return rest;
  };
  if (jsonEqual(fixed(spec), fixed(previous))) return;
  report(
    forbiddenField(
      "spec",
      "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
    ),
  );
}
