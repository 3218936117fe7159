export { createLogEngine } from "./engine.ts";
