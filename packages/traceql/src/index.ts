export { createTraceEngine } from "./engine.ts";
