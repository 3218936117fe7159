import { z } from "zod";
import { role } from "./common.ts";

export const session = z.object({
  user: z.string(),
  role,
  /** Sent back as `x-skopos-csrf` with every call that changes something. */
  csrfToken: z.string(),
  cluster: z.string(),
  /** The practice mesh is attached. */
  practice: z.boolean(),
});
export type Session = z.infer<typeof session>;

/** A one-time code from the link that the demo prints, or a bearer token. */
export const signIn = z.union([
  z.object({ code: z.string().min(1).max(200) }),
  z.object({ token: z.string().min(1).max(4096) }),
]);
export type SignIn = z.infer<typeof signIn>;

export const status = z.object({
  version: z.string(),
  startedAt: z.number(),
  now: z.number(),
  ready: z.boolean(),
  /** One row per part: what it is, how it is, and since when. */
  parts: z.array(
    z.object({
      name: z.string(),
      state: z.enum(["ok", "starting", "degraded", "down"]),
      detail: z.string(),
    }),
  ),
  /** Null while the telemetry thread does not answer. */
  ingest: z
    .object({
      seriesActive: z.number(),
      samplesPerSecond: z.number(),
      spansPerSecond: z.number(),
      logLinesPerSecond: z.number(),
      targetsUp: z.number(),
      targetsDown: z.number(),
    })
    .nullable(),
  warnings: z.array(z.string()),
});
export type Status = z.infer<typeof status>;

/** What the event stream (`GET events`, server-sent events) says: something of this topic is new; fetch it if you show it. */
export const liveEvent = z.object({
  topic: z.enum(["graph", "incidents", "incident", "alerts", "changes", "status", "practice"]),
  id: z.string().optional(),
  at: z.number(),
});
export type LiveEvent = z.infer<typeof liveEvent>;
