export { exclusiveTimes, type SpanTime } from "./exclusive.ts";
