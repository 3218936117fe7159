export { createTraceEngine } from "./engine.ts";
export { explain } from "./plan/plan.ts";
