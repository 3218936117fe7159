export type { AlertSnapshot, AlertState, AlertTransition } from "./rules/alert.ts";
export {
  type AlertingRule,
  parseRuleFile,
  type RecordingRule,
  type Rule,
  RuleFileError,
  type RuleGroup,
} from "./rules/file.ts";
export { RuleRunner, type RuleRunnerOptions } from "./rules/runner.ts";
export type { GroupStatus, RuleStatus } from "./rules/status.ts";
export {
  Notifier,
  type NotifierOptions,
  type Webhook,
  type WebhookStatus,
} from "./notify/notifier.ts";
export type { WebhookPayload } from "./notify/payload.ts";
export { type RuleTestOutcome, type RuleText, runRuleTests } from "./unit-test/run.ts";
export { parseRuleTestFile, type RuleTestFile } from "./unit-test/test-file.ts";
