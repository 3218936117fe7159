export { createTraceEngine } from "./engine.ts";
export { jaegerQuery, type JaegerSearch } from "./jaeger.ts";
export { type JaegerAsking, jaegerAsking } from "./jaeger-asking.ts";
export { explain } from "./plan/plan.ts";
