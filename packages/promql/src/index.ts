/** PromQL over any `MetricReader`. */
export {
  createMetricEngine,
  createPlanCache,
  type EngineFeatures,
  type EngineOptions,
  type OperatorTrace,
  type PromqlEngine,
} from "./engine/engine.ts";
export { prometheusJsonChunks, toPrometheusJson } from "./engine/json.ts";
export { finalReach, RangeCache } from "./engine/range-cache.ts";
export { Reaches } from "./plan/reach.ts";
export { defaultLimits, type EngineLimits } from "./engine/limits.ts";
