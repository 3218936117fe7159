export { type DataDirectoryLock, lockDataDirectory } from "./journal/data-directory-lock.ts";
export { frameKinds } from "./journal/frame.ts";
export {
  type JournalFollower,
  type JournalFrame,
  JournalReader,
} from "./journal/journal-reader.ts";
export { Journal, type JournalOptions, type JournalWriter } from "./journal/journal.ts";
export { EventLog, type EventLogOptions, type SequencedEvent } from "./state/event-log.ts";
export { Head, type HeadOptions, type HeadStats } from "./head/head.ts";
export { HeadView } from "./head/head-view.ts";
export type { HeadShare } from "./head/memory.ts";
