/** The practice mesh's control API, passed through: the page talks to one server only. */
import type { PracticeState } from "@skopos/api";
import { messageOf, SkoposError } from "@skopos/model";

const answerMsMax = 20_000;

export interface Practice {
  state(): Promise<PracticeState>;
  breakIt(request: { scenario: string } | { yaml: string }): Promise<PracticeState>;
  mend(): Promise<PracticeState>;
  load(request: { requestsPerSecond: number; shape: string }): Promise<PracticeState>;
}

interface LabScenarios {
  readonly scenarios: PracticeState["scenarios"];
}
interface LabState {
  /** `since` is ISO 8601. */
  readonly broken: { readonly name: string; readonly since: string } | null;
  /** Codes and latencies count from the start of the load. */
  readonly load: {
    readonly wantedRps: number;
    readonly shape: string;
    readonly recentRps: number;
    readonly codes: Readonly<Record<string, number>>;
    readonly latency?: { readonly p50Ms: number; readonly p95Ms: number };
  } | null;
}

/** Requests without an answer have the code "-1". */
function failedShare(codes: Readonly<Record<string, number>>): number | null {
  let failed = 0;
  let all = 0;
  for (const [code, count] of Object.entries(codes)) {
    all += count;
    if (Number(code) < 0 || Number(code) >= 500) failed += count;
  }
  return all === 0 ? null : failed / all;
}

/** The lab's own words for its state, in those of our API. */
export function toPracticeState(
  scenarios: PracticeState["scenarios"],
  { broken, load }: LabState,
): PracticeState {
  return {
    attached: true,
    scenarios,
    broken: broken && { name: broken.name, since: Date.parse(broken.since) },
    load: load && {
      requestsPerSecond: load.wantedRps,
      achievedPerSecond: load.recentRps,
      errorRatio: failedShare(load.codes),
      p50Ms: load.latency?.p50Ms ?? null,
      p95Ms: load.latency?.p95Ms ?? null,
    },
    shape: load?.shape ?? null,
  };
}

const detached: PracticeState = {
  attached: false,
  scenarios: [],
  broken: null,
  load: null,
  shape: null,
};

export function createPractice(controlUrl: string | undefined): Practice {
  if (controlUrl === undefined) {
    const refuse = () =>
      Promise.reject(
        new SkoposError("not-found", "no practice mesh is attached: start one with `skopos demo`"),
      );
    return { state: () => Promise.resolve(detached), breakIt: refuse, mend: refuse, load: refuse };
  }
  const call = async <Answer>(
    method: "GET" | "POST",
    path: string,
    body?: unknown,
  ): Promise<Answer> => {
    let response: Response;
    try {
      response = await fetch(`${controlUrl}/lab/v1/${path}`, {
        method,
        signal: AbortSignal.timeout(answerMsMax),
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      });
    } catch (cause) {
      throw new SkoposError(
        "unreachable",
        `the practice mesh does not answer: ${messageOf(cause)}`,
        { cause },
      );
    }
    const text = await response.text();
    if (!response.ok) throw new SkoposError("bad-scenario", refusalText(text));
    return JSON.parse(text) as Answer;
  };
  const state = async (): Promise<PracticeState> => {
    const [{ scenarios }, now] = await Promise.all([
      call<LabScenarios>("GET", "scenarios"),
      call<LabState>("GET", "state"),
    ]);
    return toPracticeState(scenarios, now);
  };
  return {
    state,
    async breakIt(request) {
      // The lab tells a file's text from a name by its line breaks.
      const scenario = "yaml" in request ? `${request.yaml}\n` : request.scenario;
      await call("POST", "break", { scenario });
      return state();
    },
    async mend() {
      await call("POST", "mend", {});
      return state();
    },
    async load({ requestsPerSecond, shape }) {
      await call("POST", "load", { rps: requestsPerSecond, shape });
      return state();
    },
  };
}

function refusalText(text: string): string {
  try {
    const json = JSON.parse(text) as { error?: { message?: string } };
    return json.error?.message ?? text;
  } catch {
    return text.slice(0, 1000);
  }
}
