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
  readonly broken: PracticeState["broken"];
  readonly load: PracticeState["load"];
  readonly shape: string | null;
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
    const [{ scenarios }, { broken, load, shape }] = await Promise.all([
      call<LabScenarios>("GET", "scenarios"),
      call<LabState>("GET", "state"),
    ]);
    return { attached: true, scenarios, broken, load, shape };
  };
  return {
    state,
    async breakIt(request) {
      await call("POST", "break", request);
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
