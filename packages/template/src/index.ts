/** Go's text/template, as rules, notifications and log queries write it; the functions they add are theirs. */
export { builtinNames } from "./builtins.ts";
export { TemplateError } from "./error.ts";
export { executeTemplate, LazyMap, type TemplateFunction, type TemplateScope } from "./evaluate.ts";
export { parseTemplate } from "./parse.ts";
export type { Template } from "./ast.ts";
export { formatGeneral, printValue } from "./print.ts";
export { GoDuration, GoTime, parseTime, zoneOffset } from "./time.ts";
