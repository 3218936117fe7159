/**
 * Tells webhooks of alerts: what started firing, what resolved, and again after the repeat interval. One message per webhook
 * and group of alerts (by the labels of `groupBy`). Needs nothing but the network; never blocks who calls it.
 *
 * Limits: `queueMax` messages wait per webhook, the oldest is dropped and counted beyond; a message is tried for at most
 * `tryForMs` with growing pauses.
 */
import { type Clock, messageOf, sleep } from "@skopos/model";
import { request } from "undici";
import type { AlertSnapshot } from "../rules/alert.ts";
import { type WebhookPayload, webhookPayload } from "./payload.ts";

export interface Webhook {
  /** Named in the payload's `receiver` and in `status`. */
  readonly name: string;
  readonly url: string;
  readonly authorization?: string;
  readonly sendResolved?: boolean;
}

/** Resolves with the HTTP status; rejects when there was no answer. */
type SendWebhook = (
  webhook: Webhook,
  payload: WebhookPayload,
  signal: AbortSignal,
) => Promise<number>;

export interface NotifierOptions {
  readonly webhooks: readonly Webhook[];
  readonly clock: Clock;
  readonly externalUrl: string;
  /** By default an HTTP POST. */
  readonly send?: SendWebhook;
  readonly groupBy?: readonly string[];
  readonly repeatMs?: number;
}

export interface WebhookStatus {
  readonly name: string;
  readonly waiting: number;
  readonly sent: number;
  readonly failedTries: number;
  /** Messages given up: refused by the receiver, too old, or pushed out of a full queue. */
  readonly dropped: number;
  readonly lastError: string;
}

const queueMax = 1000;
const alertsKnownMax = 50_000;
const alertsPerMessageMax = 200;
const retryMinMs = 1000;
const retryMaxMs = 60_000;
const tryForMs = 3_600_000;
const sendTimeoutMs = 10_000;
const repeatDefaultMs = 4 * 3_600_000;

interface Told {
  readonly state: "firing" | "resolved";
  readonly activeAtMs: number;
  readonly timeMs: number;
}

export class Notifier {
  readonly #options: NotifierOptions;
  readonly #queues: readonly WebhookQueue[];
  /** By fingerprint: what the webhooks were last told. */
  readonly #told = new Map<string, Told>();
  readonly #groupBy: readonly string[];

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#groupBy = options.groupBy ?? ["alertname", "destination_service_namespace"];
    const { clock, send = postWebhook } = options;
    this.#queues = options.webhooks.map((webhook) => new WebhookQueue(webhook, clock, send));
  }

  /** Takes what a rule runner tells, repetitions included; passes on what is new or due again. */
  notify(alerts: readonly AlertSnapshot[]): void {
    const news = alerts.filter((alert) => this.#isNews(alert));
    const groups = new Map<string, AlertSnapshot[]>();
    for (const alert of news) {
      const key = JSON.stringify(this.#groupLabels(alert));
      const group = groups.get(key);
      if (group) group.push(alert);
      else groups.set(key, [alert]);
    }
    for (const group of groups.values()) this.#enqueue(group);
  }

  #isNews(alert: AlertSnapshot): boolean {
    const nowMs = this.#options.clock.nowMs();
    const state = alert.state === "resolved" ? "resolved" : "firing";
    const told = this.#told.get(alert.fingerprint);
    if (state === "resolved") {
      // One who was never told of the fire need not hear of its end.
      if (told?.state !== "firing") return false;
    } else if (told?.state === "firing") {
      const repeatMs = this.#options.repeatMs ?? repeatDefaultMs;
      if (nowMs - told.timeMs < repeatMs) return false;
    }
    // Re-inserted, so that the first entry is always the one told longest ago.
    this.#told.delete(alert.fingerprint);
    this.#told.set(alert.fingerprint, { state, activeAtMs: alert.activeAtMs, timeMs: nowMs });
    if (this.#told.size > alertsKnownMax) {
      const [oldest] = this.#told.keys();
      if (oldest !== undefined) this.#told.delete(oldest);
    }
    return true;
  }

  #groupLabels(alert: AlertSnapshot): Record<string, string> {
    const labels: Record<string, string> = {};
    for (const name of this.#groupBy) {
      const value = alert.labels[name];
      if (value !== undefined) labels[name] = value;
    }
    return labels;
  }

  #enqueue(group: readonly AlertSnapshot[]): void {
    const [first] = group;
    if (!first) return;
    const groupLabels = this.#groupLabels(first);
    const { externalUrl } = this.#options;
    for (const queue of this.#queues) {
      const { name: receiver, sendResolved = true } = queue.webhook;
      const told = sendResolved ? group : group.filter((alert) => alert.state !== "resolved");
      if (told.length === 0) continue;
      const options = { receiver, externalUrl, groupLabels, alertsMax: alertsPerMessageMax };
      queue.push(webhookPayload(told, options));
    }
  }

  status(): WebhookStatus[] {
    return this.#queues.map((queue) => queue.status());
  }

  /** Stops sending; what waits is lost. */
  async stop(): Promise<void> {
    await Promise.all(this.#queues.map((queue) => queue.stop()));
  }
}

interface Message {
  readonly payload: WebhookPayload;
  readonly queuedMs: number;
}

class WebhookQueue {
  readonly webhook: Webhook;
  readonly #clock: Clock;
  readonly #send: SendWebhook;
  readonly #stop = new AbortController();
  readonly #queue: Message[] = [];
  #running: Promise<void> | undefined;
  #sent = 0;
  #failedTries = 0;
  #dropped = 0;
  #lastError = "";

  constructor(webhook: Webhook, clock: Clock, send: SendWebhook) {
    this.webhook = webhook;
    this.#clock = clock;
    this.#send = send;
  }

  push(payload: WebhookPayload): void {
    if (this.#stop.signal.aborted) return;
    if (this.#queue.length >= queueMax) {
      this.#queue.shift();
      this.#dropped++;
    }
    this.#queue.push({ payload, queuedMs: this.#clock.nowMs() });
    this.#running ??= this.#drain();
  }

  async #drain(): Promise<void> {
    // Not in the caller's turn: telling must cost evaluation nothing.
    await Promise.resolve();
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      await this.#deliver(next);
      if (this.#stop.signal.aborted) break;
    }
    this.#running = undefined;
  }

  async #deliver({ payload, queuedMs }: Message): Promise<void> {
    for (let tries = 0; !this.#stop.signal.aborted; tries++) {
      const verdict = await this.#try(payload);
      if (verdict === "sent") {
        this.#sent++;
        this.#lastError = "";
        return;
      }
      this.#failedTries++;
      if (verdict === "refused" || this.#clock.nowMs() - queuedMs > tryForMs) {
        this.#dropped++;
        return;
      }
      const pauseMs = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(tries, 10));
      await sleep(this.#clock, pauseMs, this.#stop.signal);
    }
  }

  /** As Alertmanager: 2xx is sent, 5xx and 429 are tried again, any other answer is final. */
  async #try(payload: WebhookPayload): Promise<"sent" | "again" | "refused"> {
    const abort = new AbortController();
    const give = () => abort.abort();
    const cancel = this.#clock.after(sendTimeoutMs, give);
    this.#stop.signal.addEventListener("abort", give, { once: true });
    try {
      const status = await this.#send(this.webhook, payload, abort.signal);
      if (status >= 200 && status < 300) return "sent";
      this.#lastError = `HTTP status ${status}`;
      return status >= 500 || status === 429 ? "again" : "refused";
    } catch (error) {
      this.#lastError = messageOf(error);
      return "again";
    } finally {
      cancel();
      this.#stop.signal.removeEventListener("abort", give);
    }
  }

  status(): WebhookStatus {
    return {
      name: this.webhook.name,
      waiting: this.#queue.length + (this.#running ? 1 : 0),
      sent: this.#sent,
      failedTries: this.#failedTries,
      dropped: this.#dropped,
      lastError: this.#lastError,
    };
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

const postWebhook: SendWebhook = async (webhook, payload, signal) => {
  const response = await request(webhook.url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "user-agent": "skopos",
      ...(webhook.authorization === undefined ? {} : { authorization: webhook.authorization }),
    },
    body: JSON.stringify(payload),
    signal,
  });
  await response.body.dump({ limit: 65_536 });
  return response.statusCode;
};
