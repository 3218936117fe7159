export { createTraceEngine } from "./engine.ts";
export { jaegerQuery, type JaegerSearch } from "./jaeger.ts";
export { explain } from "./plan/plan.ts";
