/** Targets from an HTTP endpoint (`http_sd_configs`), asked again after each refresh interval; a failure keeps the last answer. */
import { type Clock, sleep } from "@skopos/model";
import { request } from "undici";
import { IngestError } from "../errors.ts";
import { HttpAgent } from "../scrape/agent.ts";
import { failureOf, statusText } from "../scrape/failure.ts";
import type { TargetGroup } from "../scrape/target.ts";
import { parseJson } from "../wire/json.ts";
import type { HttpSdConfig } from "./config.ts";
import type { Discovery } from "./discovery.ts";
import { targetGroupsFrom } from "./target-list.ts";

export interface HttpDiscoveryOptions {
  readonly config: HttpSdConfig;
  readonly clock: Clock;
  readonly onGroups: (groups: TargetGroup[]) => void;
}

const bodyBytesMax = 32 * 1024 * 1024;
const timeoutMs = 30_000;

export class HttpDiscovery implements Discovery {
  readonly #options: HttpDiscoveryOptions;
  readonly #agent: HttpAgent;
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();
  #lastError = "";

  /** Throws "bad-config" when a TLS file cannot be read. */
  constructor(options: HttpDiscoveryOptions) {
    this.#options = options;
    this.#agent = new HttpAgent(options.config.http, options.clock);
  }

  get lastError(): string {
    return this.#lastError;
  }

  start(): void {
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    await this.#agent.close();
  }

  async #run(): Promise<void> {
    const { config, clock, onGroups } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const groups = await this.#ask();
        this.#lastError = "";
        onGroups(groups);
      } catch (error) {
        if (signal.aborted) return;
        this.#lastError = `${config.url}: ${failureOf(error, new URL(config.url).host).text}`;
      }
      await sleep(clock, config.refreshMs, signal);
    }
  }

  async #ask(): Promise<TargetGroup[]> {
    const { url, refreshMs } = this.#options.config;
    const headers = {
      "user-agent": "skopos",
      ...(await this.#agent.headers()),
      accept: "application/json",
      "x-prometheus-refresh-interval-seconds": String(refreshMs / 1000),
    };
    const response = await request(url, {
      dispatcher: this.#agent.dispatcher(),
      headers,
      signal: this.#stop.signal,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    if (response.statusCode !== 200) {
      await response.body.dump({ limit: 65_536 });
      throw new IngestError("bad-status", statusText(response.statusCode));
    }
    const type = String(response.headers["content-type"] ?? "");
    if (!/^application\/json\s*(;|$)/i.test(type)) {
      await response.body.dump({ limit: 65_536 });
      throw new IngestError(
        "unsupported-media-type",
        `answered ${type || "no media type"}, not application/json`,
      );
    }
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > bodyBytesMax)
        throw new IngestError("too-large", `the list is larger than ${bodyBytesMax} bytes`);
      chunks.push(chunk);
    }
    return targetGroupsFrom(parseJson(Buffer.concat(chunks)), url, { __meta_url: url });
  }
}
