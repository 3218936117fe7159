export { canonicalObject, yamlOf } from "./changes/canonical.ts";
export { unifiedDiff } from "./changes/diff.ts";
export { type ChangeQuery } from "./changes/log.ts";
export {
  type ChangeRecord,
  revisionOf,
  revisionsOf,
  templateOf,
  withTemplate,
} from "./changes/record.ts";
export {
  appliesTo,
  deploymentsOf,
  entityOf,
  hostsOf,
  type ObjectStore,
  podsOf,
  replicasOf,
  serviceEntity,
  serviceIdOfHost,
  servicesTouchedBy,
} from "./cluster/store.ts";
export { ClusterWatch, type ClusterWatchOptions, type KindStatus } from "./cluster/watch.ts";
export { createKubeApi, type KubeApi, type Patch, type WriteOptions } from "./kube/api.ts";
export {
  isRecord,
  type KubeObject,
  listAt,
  mapAt,
  numberAt,
  type ObjectRef,
  refOf,
  textAt,
  valueAt,
} from "./kube/object.ts";
export { credentialsOf, type KubeCredentials, type KubeTarget } from "./kube/transport.ts";
export { milliseconds, percent } from "./topology/health.ts";
export { destinationNode, isGateway, serviceNodes, sourceNode } from "./topology/naming.ts";
export { isFailure } from "./topology/edges.ts";
export { chart, type ChartRange } from "./topology/points.ts";
export { anyOf, failed, quoted, serviceQueries, windowText } from "./topology/queries.ts";
export {
  type ClusterView,
  Topology,
  type TopologyOptions,
  type Trouble,
  userSelector,
} from "./topology/topology.ts";
