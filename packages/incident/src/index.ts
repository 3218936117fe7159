export { decodeDeskEvent, type DeskEvent, type EventLog } from "./desk/events.ts";
export { IncidentDesk } from "./desk/desk.ts";
export type { DeskUpdate } from "./desk/ledger.ts";
export type { DeskCluster, DeskOptions, DeskTopology } from "./desk/options.ts";
export { loadRunbooks, parseRunbook, type RunbookDefinition } from "./runbooks.ts";
export { type DeskSettings, defaultSettings } from "./settings.ts";
export {
  type CaseBaseline,
  caseBaseline,
  diagnoseCase,
  type FaultCase,
  faultCase,
  type RankedCause,
} from "./diagnose/case.ts";
