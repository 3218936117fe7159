export { callPatterns, type CallPattern } from "./call-patterns.ts";
export {
  type AttributeDifference,
  compareTraces,
  type OperationDifference,
  type TraceComparison,
} from "./compare.ts";
export { columnsOfSpans } from "./columns.ts";
export { criticalPath, type PathSegment } from "./critical-path.ts";
export { errorOrigin } from "./error-origin.ts";
export { exclusiveTimes, type SpanTime, timedSpans } from "./exclusive.ts";
export { buildForest, buildShape, childrenOf, type SpanForest, type TraceShape } from "./forest.ts";
export {
  callAttributes,
  compareGraphs,
  type EdgeAgreement,
  type MetricEdge,
  serviceGraph,
  type SpanEdge,
} from "./service-graph.ts";
