export { createLogEngine } from "./engine/engine.ts";
