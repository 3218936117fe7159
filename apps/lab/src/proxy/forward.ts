/**
 * Sends one request into a cluster with the route's timeout, retries and per-try timeout, and says how it ended. Knows
 * nothing of where the request came from.
 */
import type { HttpRequest, HttpResponse } from "../http/message.ts";
import type { RetryPolicy } from "./config.ts";
import type { Departure } from "./departure.ts";
import { type Attempt, UpstreamError } from "./host-pool.ts";
import { backoffMs, type TryFailure, type TryOutcome, worthRetrying } from "./retry.ts";
import type { UpstreamCluster, UpstreamHost } from "./upstream-cluster.ts";

export interface ForwardOptions {
  readonly timeoutMs: number;
  readonly retries: RetryPolicy;
  readonly random: () => number;
  /** Happens when the caller leaves. */
  readonly left: Departure;
}

export interface Forwarded {
  readonly outcome: TryOutcome;
  readonly host: UpstreamHost | undefined;
  readonly attempts: number;
  /** All retries were used and the last try was no better. */
  readonly retriesExhausted: boolean;
  readonly localAddress: string | undefined;
  /** Of the last try, from sending to the response. */
  readonly serviceTimeMs: number | undefined;
}

/** Forwards `request`; `prepare` may adapt it to the host that was picked. Never rejects. */
export async function forward(
  cluster: UpstreamCluster,
  prepare: (host: UpstreamHost, attempt: number) => HttpRequest,
  options: ForwardOptions,
): Promise<Forwarded> {
  const deadline = createDeadline(options);
  const tried: UpstreamHost[] = [];
  try {
    for (let attempt = 1; ; attempt++) {
      const result = await tryOnce(cluster, prepare, options, deadline, tried, attempt);
      const retriable = worthRetrying(options.retries, result.outcome);
      const exhausted = retriable && attempt > options.retries.attempts;
      if (exhausted && options.retries.attempts > 0) cluster.stats.rqRetryLimitExceeded++;
      if (attempt > 1 && !retriable && result.outcome.kind === "response") {
        cluster.stats.rqRetrySuccess++;
      }
      const done = { ...result, attempts: attempt, retriesExhausted: exhausted && attempt > 1 };
      if (!retriable || exhausted || deadline.passed !== undefined) return done;
      if (cluster.resources.retries >= cluster.resources.limits.maxRetries) {
        cluster.stats.rqRetryOverflow++;
        return done;
      }
      await backOff(cluster, attempt, options, deadline);
    }
  } finally {
    deadline.clear();
  }
}

async function backOff(
  cluster: UpstreamCluster,
  attempt: number,
  options: ForwardOptions,
  deadline: Deadline,
): Promise<void> {
  cluster.stats.rqRetry++;
  cluster.resources.retries++;
  await deadline.wait(backoffMs(attempt, options.random));
  cluster.resources.retries--;
}

type TryResult = Omit<Forwarded, "attempts" | "retriesExhausted">;

async function tryOnce(
  cluster: UpstreamCluster,
  prepare: (host: UpstreamHost, attempt: number) => HttpRequest,
  options: ForwardOptions,
  deadline: Deadline,
  tried: UpstreamHost[],
  number: number,
): Promise<TryResult> {
  const nothing = { host: undefined, localAddress: undefined, serviceTimeMs: undefined };
  if (deadline.passed !== undefined) return { outcome: failed(deadline.passed, ""), ...nothing };
  const host = cluster.pick(tried);
  if (host === undefined) return { outcome: failed("no-host", ""), ...nothing };
  tried.push(host);
  const startMs = performance.now();
  const attempt = host.pool.dispatch(prepare(host, number));
  const outcome = await settle(attempt, options, deadline);
  countOutcome(cluster, host, outcome);
  const localAddress = attempt.localAddress();
  const serviceTimeMs = outcome.kind === "response" ? performance.now() - startMs : undefined;
  return { outcome, host, localAddress, serviceTimeMs };
}

function countOutcome(cluster: UpstreamCluster, host: UpstreamHost, outcome: TryOutcome): void {
  if (outcome.kind === "response") {
    cluster.outlier.report(host.key, outcome.response.status);
  } else if (outcome.failure === "timeout") {
    cluster.stats.rqTimeout++;
    cluster.outlier.report(host.key, 504);
  } else if (outcome.failure === "per-try-timeout") {
    cluster.stats.rqPerTryTimeout++;
    cluster.outlier.report(host.key, 504);
  } else if (outcome.failure === "connect" || outcome.failure === "reset") {
    cluster.outlier.report(host.key, 503);
  }
}

function settle(attempt: Attempt, options: ForwardOptions, deadline: Deadline) {
  return new Promise<TryOutcome>((resolve) => {
    const { perTryTimeoutMs } = options.retries;
    let gaveUp: TryFailure | undefined;
    const giveUp = (failure: TryFailure) => {
      gaveUp ??= failure;
      attempt.cancel();
    };
    const timer =
      perTryTimeoutMs > 0 ? setTimeout(giveUp, perTryTimeoutMs, "per-try-timeout") : undefined;
    deadline.onPassed(giveUp);
    const end = (outcome: TryOutcome) => {
      clearTimeout(timer);
      deadline.onPassed(undefined);
      resolve(outcome);
    };
    attempt.response.then(
      (response: HttpResponse) => end({ kind: "response", response }),
      (error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        if (gaveUp !== undefined) return end(failed(gaveUp, message));
        const failure = error instanceof UpstreamError ? error.failure : "reset";
        end(failed(failure === "cancelled" ? "left" : failure, message));
      },
    );
  });
}

function failed(failure: TryFailure, message: string): TryOutcome {
  return { kind: "failure", failure, message };
}

interface Deadline {
  /** Why no more may be tried. */
  readonly passed: "timeout" | "left" | undefined;
  onPassed(listener: ((why: "timeout" | "left") => void) | undefined): void;
  /** Resolves after `ms`, or as soon as the deadline passes. */
  wait(ms: number): Promise<void>;
  clear(): void;
}

function createDeadline(options: ForwardOptions): Deadline {
  let passed: "timeout" | "left" | undefined = options.left.happened ? "left" : undefined;
  let listener: ((why: "timeout" | "left") => void) | undefined;
  const pass = (why: "timeout" | "left") => {
    if (passed !== undefined) return;
    passed = why;
    listener?.(why);
  };
  options.left.listen(() => pass("left"));
  const timer = options.timeoutMs > 0 ? setTimeout(pass, options.timeoutMs, "timeout") : undefined;
  return {
    get passed() {
      return passed;
    },
    onPassed(next) {
      listener = next;
    },
    wait(ms) {
      return new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          listener = undefined;
          resolve();
        };
        const timer = setTimeout(done, ms);
        listener = done;
      });
    },
    clear() {
      clearTimeout(timer);
      options.left.listen(undefined);
    },
  };
}
