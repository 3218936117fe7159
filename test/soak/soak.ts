/**
 * A soak: remote writes of a whole mesh at a fixed interval, pods that are replaced all the time, and a server that is killed with
 * SIGKILL every few minutes. What was acknowledged is written down, and at the end every target is asked for all of it: each
 * acknowledged time of one series with its value, and at random times that no series of the target is missing. After every
 * round it is measured what the server takes, and at the end `growth.ts` says whether that has grown beyond what is held.
 *
 * What it does not prove: that the head lets go of what is older than its window. The window is longer than a soak, because
 * an hour of samples is carried as a whole. Simulated time shows that (`head-churn.test.ts`, `head-forget.test.ts`).
 */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { type MeshTarget, MeshLoad, seeded, valueAt } from "../../bench/load/mesh.ts";
import { RemoteWriteLoad, sendRemoteWrite } from "../../bench/load/remote-write.ts";
import type { Peer } from "../../bench/peers/process.ts";
import { startSkopos } from "../../bench/peers/skopos.ts";
import { measure } from "./footprint.ts";
import { type Footprint, growthFaults, megabytes } from "./growth.ts";

export interface SoakOptions {
  readonly dir: string;
  readonly series: number;
  readonly durationMs: number;
  readonly intervalMs: number;
  readonly killEveryMs: number;
  /** Share of the targets replaced per interval. */
  readonly churn: number;
  readonly seed: number;
  readonly log: (line: string) => void;
}

export interface SoakOutcome {
  readonly kills: number;
  readonly targets: number;
  readonly samplesAcknowledged: number;
  /** Acknowledged samples of the series that were looked at. */
  readonly samplesChecked: number;
  /** What is missing or wrong, or has grown, in words. */
  readonly faults: readonly string[];
  /** At the end of each stretch between kills. */
  readonly stretches: readonly Stretch[];
  readonly restartMs: readonly number[];
  /** Rounds that fell out because the one before took longer than the interval. */
  readonly missedRounds: number;
}

/** In MB, but for the series. */
interface Stretch {
  readonly server: number;
  readonly clickhouse: number;
  readonly head: number;
  readonly headSeries: number;
  readonly journalDisk: number;
  readonly headDisk: number;
  readonly clickhouseDisk: number;
}

/** One incarnation of a target, and the rounds of it that were acknowledged. */
interface Life {
  readonly target: MeshTarget;
  readonly acknowledged: { readonly step: number; readonly timeMs: number }[];
}

interface Shard {
  lives: Life[];
  load: RemoteWriteLoad;
}

const targetsPerShard = 8;
const sendersMax = 2;
const faultsMax = 20;
const settings = {
  head: { retention: "6h" },
  otlp: { grpc: "off" },
  clickhouse: { memoryMaxMB: 1024 },
};

/** The gauge that every target has once. */
const aliveName = "envoy_server_live";

export class Soak {
  readonly #options: SoakOptions;
  readonly #mesh: MeshLoad;
  readonly #shards: Shard[] = [];
  readonly #ended: Life[] = [];
  readonly #random: () => number;
  readonly #generations = new Map<number, number>();
  #server: Peer | undefined;
  #readyMs = 0;
  #samples = 0;
  #series: number;
  readonly #footprints: Footprint[] = [];

  constructor(options: SoakOptions) {
    this.#options = options;
    this.#random = seeded(options.seed);
    this.#mesh = new MeshLoad({ series: options.series, seed: options.seed });
    const { targets } = this.#mesh;
    this.#series = this.#mesh.seriesCount;
    for (let i = 0; i < targets.length; i += targetsPerShard) {
      const lives = targets
        .slice(i, i + targetsPerShard)
        .map((target): Life => ({ target, acknowledged: [] }));
      this.#shards.push({ lives, load: loadOf(lives) });
    }
  }

  async run(): Promise<SoakOutcome> {
    const { dir, durationMs, intervalMs, killEveryMs, log } = this.#options;
    mkdirSync(dir, { recursive: true });
    const restartMs: number[] = [];
    const stretches: Stretch[] = [];
    let kills = 0;
    let missedRounds = 0;
    let server = await this.#start();
    const began = Date.now();
    let nextKill = began + killEveryMs;
    for (let step = 0; Date.now() < began + durationMs; step++) {
      // A round that takes longer than the interval makes the next one late, and those it covers fall out.
      const missed = Math.floor((Date.now() - began) / intervalMs) - step;
      if (missed > 0) {
        step += missed;
        missedRounds += missed;
      }
      const due = began + step * intervalMs;
      await until(due);
      if (step > 0) this.#replaceSome();
      const round = this.#round(server, step, due);
      if (Date.now() < nextKill) {
        await round;
        await this.#look(server, began);
        continue;
      }
      nextKill += killEveryMs;
      // In the middle of a round, so that requests are under way.
      await until(Date.now() + this.#random() * intervalMs * 0.3);
      stretches.push(stretchOf(this.#footprints.at(-1)));
      process.kill(server.pid, "SIGKILL");
      await server.stop();
      await round;
      kills++;
      const restarted = Date.now();
      server = await this.#start();
      restartMs.push(Date.now() - restarted);
      log(
        `kill ${kills}: ${JSON.stringify(stretches.at(-1))} MB before, ready again after ${restartMs.at(-1)} ms, ${this.#samples} samples acknowledged`,
      );
    }
    stretches.push(stretchOf(this.#footprints.at(-1)));
    const { faults, checked } = await this.#verify(server);
    faults.push(...growthFaults(this.#footprints, durationMs).slice(0, faultsMax));
    return {
      kills,
      targets: this.#lives().length,
      samplesAcknowledged: this.#samples,
      samplesChecked: checked,
      faults,
      stretches,
      restartMs,
      missedRounds,
    };
  }

  /** Ends the server, however the run ended. */
  async stop(): Promise<void> {
    await this.#server?.stop();
  }

  async #start(): Promise<Peer> {
    this.#server = await startSkopos(this.#options.dir, settings);
    this.#readyMs = Date.now();
    return this.#server;
  }

  async #look(server: Peer, beganMs: number): Promise<void> {
    const nowMs = Date.now();
    this.#footprints.push({
      atMs: nowMs - beganMs,
      ageMs: nowMs - this.#readyMs,
      samples: this.#samples,
      series: this.#series,
      ...(await measure(server, path.join(this.#options.dir, "skopos"))),
    });
  }

  #lives(): Life[] {
    return [...this.#ended, ...this.#shards.flatMap(({ lives }) => lives)];
  }

  #replaceSome(): void {
    const count = this.#mesh.targets.length * this.#options.churn;
    const whole = Math.floor(count) + (this.#random() < count % 1 ? 1 : 0);
    for (let i = 0; i < whole; i++) {
      const number = Math.floor(this.#random() * this.#mesh.targets.length);
      const shard = this.#shards[Math.floor(number / targetsPerShard)];
      const life = shard?.lives[number % targetsPerShard];
      if (!shard || !life) continue;
      const generation = (this.#generations.get(number) ?? 0) + 1;
      this.#generations.set(number, generation);
      this.#ended.push(life);
      const target = this.#mesh.replaced(number, generation);
      this.#series += target.series.length;
      shard.lives = shard.lives.with(number % targetsPerShard, { target, acknowledged: [] });
      shard.load = loadOf(shard.lives);
    }
  }

  /** Sends every shard once. A shard that is not acknowledged is not written down; nobody tries again. */
  async #round(server: Peer, step: number, timeMs: number): Promise<void> {
    const pending = [...this.#shards];
    const send = async () => {
      for (let shard = pending.pop(); shard; shard = pending.pop()) {
        const { lives, load } = shard;
        const [body] = load.requests(step, timeMs, Infinity);
        if (!body) continue;
        try {
          await sendRemoteWrite(server.url, body);
        } catch {
          continue; // Killed, or refused: not acknowledged.
        }
        for (const { acknowledged } of lives) acknowledged.push({ step, timeMs });
        this.#samples += load.samplesPerStep;
      }
    };
    await Promise.all(Array.from({ length: sendersMax }, send));
  }

  async #verify(server: Peer): Promise<{ faults: string[]; checked: number }> {
    const faults: string[] = [];
    let checked = 0;
    for (const { target, acknowledged } of this.#lives()) {
      const last = acknowledged.at(-1);
      const first = acknowledged[0];
      if (!first || !last || faults.length >= faultsMax) continue;
      const pod = target.series[0]?.["pod"] ?? "";
      const index = target.series.findIndex(({ __name__ }) => __name__ === aliveName);
      const selector = `${aliveName}{pod=${JSON.stringify(pod)}}`;
      const seconds = Math.ceil((last.timeMs - first.timeMs) / 1000) + 1;
      const held = await rawSamples(server, `${selector}[${seconds}s]`, last.timeMs);
      for (const { step, timeMs } of acknowledged) {
        checked++;
        const value = held.get(timeMs);
        if (value === undefined)
          faults.push(`${pod}: the sample of ${new Date(timeMs).toISOString()} is gone`);
        else if (Math.abs(value - valueAt(target, index, step)) > 1e-9 * Math.abs(value))
          faults.push(`${pod}: ${value} instead of ${valueAt(target, index, step)} at ${timeMs}`);
      }
      const some = acknowledged[Math.floor(this.#random() * acknowledged.length)] ?? last;
      const series = await countAt(server, `{pod=${JSON.stringify(pod)}}`, some.timeMs);
      checked += target.series.length;
      if (series !== target.series.length)
        faults.push(
          `${pod}: ${series} series instead of ${target.series.length} at ${new Date(some.timeMs).toISOString()}`,
        );
    }
    return { faults, checked };
  }
}

function stretchOf(footprint: Footprint | undefined): Stretch {
  return {
    server: megabytes(footprint?.serverBytes ?? 0),
    clickhouse: megabytes(footprint?.clickhouseBytes ?? 0),
    head: megabytes(footprint?.headBytes ?? 0),
    headSeries: footprint?.headSeries ?? 0,
    journalDisk: megabytes(footprint?.journalDiskBytes ?? 0),
    headDisk: megabytes(footprint?.headDiskBytes ?? 0),
    clickhouseDisk: megabytes(footprint?.clickhouseDiskBytes ?? 0),
  };
}

const loadOf = (lives: readonly Life[]) => new RemoteWriteLoad(lives.map(({ target }) => target));

function until(timeMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, timeMs - Date.now())));
}

async function query(server: Peer, expression: string, timeMs: number) {
  const body = new URLSearchParams({ query: expression, time: `${timeMs / 1000}` });
  const response = await fetch(`${server.url}/api/v1/query`, { method: "POST", body });
  const text = await response.text();
  if (!response.ok) throw new Error(`${expression}: ${response.status} ${text}`);
  return JSON.parse(text) as {
    data: { result: { values?: [number, string][]; value?: [number, string] }[] };
  };
}

async function rawSamples(server: Peer, selector: string, timeMs: number) {
  const { data } = await query(server, selector, timeMs);
  const values = data.result.flatMap((series) => series.values ?? []);
  return new Map(values.map(([at, value]) => [Math.round(at * 1000), Number(value)]));
}

/** Series that have a sample at that very time. */
async function countAt(server: Peer, selector: string, timeMs: number): Promise<number> {
  const { data } = await query(server, `count(last_over_time(${selector}[1s]))`, timeMs);
  return Number(data.result[0]?.value?.[1] ?? 0);
}
