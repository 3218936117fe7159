/**
 * Each scenario read off two pages alone: a trace opened from the Traces page says where it failed or waited and what changed
 * before, and the Logs page says the same of the lines, whole and one by one.
 */
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { picture } from "./browser.ts";
import { until } from "./processes.ts";

const tracesTried = 6;

interface Reading {
  /** Traces among which some tell. */
  readonly traces: string;
  readonly traceSays: RegExp;
  readonly linesSay: RegExp;
  /** Lines of which one is opened. */
  readonly lines: string;
  readonly lineSays: RegExp;
}

const readings: Readonly<Record<string, Reading>> = {
  "connection-overflow": {
    traces: '{ status = error && span.response_flags = "UO" }',
    traceSays: /flag UO: connection pool overflow/,
    linesSay: /requests to user-service end with 503 and the flag UO \(connection pool overflow\)/,
    lines: '{namespace="socialstream"} | response_flags="UO"',
    lineSays: /connection pool overflow/,
  },
  "bad-rollout": {
    traces: '{ status = error && resource.service.name =~ "post-service.*" }',
    traceSays: /failure begins at post-service/,
    linesSay: /requests to post-service end with 500/,
    lines: '{app="post-service"} | method="" | detected_level="error"',
    lineSays: /unhandled exception/,
  },
  "database-pool-exhausted": {
    traces: '{ name = "db.pool.acquire" && duration > 200ms }',
    traceSays: /user-service.*“db\.pool\.acquire” itself.*a wait for something/s,
    linesSay: /requests to user-service (?:take \d+ ms or longer|end with 50\d)/,
    lines: '{app="user-service"} | upstream_cluster=~"inbound.*" | duration_ms=~"[0-9]{3,}"',
    lineSays: /user-service received it/,
  },
};

/** Whether it is written down here what the pages tell of a scenario. */
export const isReadable = (scenario: string) => scenario in readings;

/** The object whose change broke it. */
interface Culprit {
  readonly kind: string;
  readonly name: string;
}

/** Reads a scenario that is broken at the moment off pages of the program at `address`. */
export class PageReader {
  readonly #page: Page;
  readonly #address: string;
  readonly #scenario: string;
  readonly #culprit: Culprit;

  constructor(page: Page, address: string, scenario: string, culprit: Culprit) {
    this.#page = page;
    this.#address = address;
    this.#scenario = scenario;
    this.#culprit = culprit;
  }

  /** Fails unless some trace of the scenario tells of it. */
  async traces(): Promise<void> {
    await until("a trace that tells", () => this.#tracesOnce(), 120_000, 3000);
    await picture(this.#page, `trace-of-${this.#scenario}`);
  }

  /** Fails unless the lines of the namespace, and one line of the scenario by itself, tell of it. */
  async lines(): Promise<void> {
    const { linesSay, lines, lineSays } = this.#reading;
    await this.#open("/logs", '{namespace="socialstream"}');
    const box = this.#page.getByRole("region", { name: "What these lines say" });
    await until(
      "lines that tell",
      async () => {
        const text = await box.innerText();
        return linesSay.test(text) && this.#changed.test(text) ? text : undefined;
      },
      120_000,
      1000,
    );
    expect(await box.innerText()).not.toContain("could not be");
    await picture(this.#page, `lines-of-${this.#scenario}`);

    await this.#open("/logs", lines);
    await this.#page.locator(".log-lines button.log-summary").first().click();
    const explained = this.#page.locator('[data-testid="explain-line"]');
    await explained.getByText(lineSays).first().waitFor();
    const { kind, name } = this.#culprit;
    await explained
      .locator('[data-statement="change"]', { hasText: `${kind} ${name}` })
      .first()
      .waitFor();
    await picture(this.#page, `line-of-${this.#scenario}`);
  }

  get #reading(): Reading {
    const reading = readings[this.#scenario];
    if (!reading) throw new Error(`nobody has said what the pages tell of ${this.#scenario}`);
    return reading;
  }

  get #changed(): RegExp {
    return new RegExp(`${this.#culprit.kind} ${this.#culprit.name} changed`);
  }

  #open(place: string, query: string) {
    return this.#page.goto(`${this.#address}${place}?range=5m&q=${encodeURIComponent(query)}`);
  }

  /** Opens one trace after the other until one tells; not every one goes through what is broken. */
  async #tracesOnce(): Promise<string> {
    const { traces, traceSays } = this.#reading;
    await this.#open("/traces", traces);
    const links = this.#page.locator("main a[data-trace-id]");
    await links.first().waitFor({ timeout: 10_000 });
    const paths = await links.evaluateAll((found) => [
      ...new Set(found.map((link) => link.getAttribute("href") ?? "")),
    ]);
    for (const each of paths.slice(0, tracesTried)) {
      await this.#page.goto(this.#address + each);
      const box = this.#page.getByRole("region", { name: "What this trace says" });
      await box.getByRole("listitem").or(box.getByText("Nothing unusual")).first().waitFor();
      const text = await box.innerText();
      if (traceSays.test(text) && this.#changed.test(text)) return text;
    }
    throw new Error(`none of ${paths.length} traces of ${traces} says ${traceSays}`);
  }
}
