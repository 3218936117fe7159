/**
 * The gate every request passes. Loopback is not authentication: a web page elsewhere can make the browser call 127.0.0.1,
 * and a name can be rebound to it. So Host must be ours, Origin (where sent) must be ours, calls that change something need a
 * token or a session with its CSRF token, and pushed telemetry never comes from a browser.
 */
import type { FastifyRequest } from "fastify";
import { SkoposError } from "@skopos/model";
import type { Role } from "@skopos/api";
import { mayAct, type Principal, sessionCookie, type Sessions } from "./sessions.ts";

export interface GuardSettings {
  /** Host header values that are us, like "127.0.0.1:7080". Empty: any loopback name with any port. */
  readonly hosts: readonly string[];
  /** Whether anonymous callers may read; only ever true on loopback. */
  readonly anonymousRead: boolean;
  /** Whether telemetry may be pushed without a token; only ever true on loopback. */
  readonly anonymousIngest: boolean;
}

const loopback = /^(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])(?::\d+)?$/;

export class Guard {
  readonly #sessions: Sessions;
  readonly #settings: GuardSettings;

  constructor(sessions: Sessions, settings: GuardSettings) {
    this.#sessions = sessions;
    this.#settings = settings;
  }

  /** Refuses requests that were not meant for us: rebound names and other origins. */
  checkAddress(request: FastifyRequest): void {
    const host = request.headers.host ?? "";
    const known =
      this.#settings.hosts.includes(host) ||
      (this.#settings.hosts.length === 0 && loopback.test(host));
    if (!known)
      throw new SkoposError(
        "wrong-host",
        `this server is not ${JSON.stringify(host)}: add the name to server.hosts to allow it`,
      );
    const origin = request.headers.origin;
    if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
      throw new SkoposError("wrong-origin", "pages of another origin may not call this server");
    }
  }

  /** Who is calling; undefined when nobody in particular. */
  principalOf(request: FastifyRequest): Principal | undefined {
    const authorization = request.headers.authorization;
    if (authorization?.startsWith("Bearer ")) {
      const principal = this.#sessions.fromToken(authorization.slice("Bearer ".length));
      if (!principal)
        throw new SkoposError("unauthenticated", "the bearer token is not known here");
      return principal;
    }
    const cookie = cookieOf(request.headers.cookie, sessionCookie);
    return cookie === undefined ? undefined : this.#sessions.fromCookie(cookie);
  }

  /** Throws unless the caller has the role; `changes` asks for the CSRF token of a cookie session as well. */
  require(request: FastifyRequest, least: Role, changes: boolean): Principal {
    const principal = this.principalOf(request);
    if (!principal) {
      if (this.#settings.anonymousRead && !changes && least === "viewer")
        return { user: "anonymous", role: "viewer", csrfToken: "" };
      throw new SkoposError(
        "unauthenticated",
        "sign in first: open the one-time link that the server printed, or send a bearer token",
      );
    }
    if (
      changes &&
      principal.csrfToken !== undefined &&
      request.headers["x-skopos-csrf"] !== principal.csrfToken
    ) {
      throw new SkoposError("csrf", "this call needs the session's x-skopos-csrf token");
    }
    if (!mayAct(principal.role, least)) {
      throw new SkoposError(
        "forbidden",
        `this needs the role ${least}; ${principal.user} has ${principal.role}`,
      );
    }
    return principal;
  }

  /** Telemetry pushes: tokens where asked for, and never a browser. */
  requireIngest(request: FastifyRequest, anonymous = this.#settings.anonymousIngest): void {
    if (request.headers.origin !== undefined || request.headers["sec-fetch-site"] !== undefined) {
      throw new SkoposError("wrong-origin", "telemetry is not accepted from browsers");
    }
    this.requireIngestToken(request.headers.authorization, anonymous);
  }

  /** As `requireIngest`, for protocols that no browser speaks. `anonymous` where the listener's address decides. */
  requireIngestToken(authorization = "", anonymous = this.#settings.anonymousIngest): void {
    if (anonymous) return;
    if (!this.#sessions.mayIngest(authorization.replace(/^Bearer /i, ""))) {
      throw new SkoposError(
        "unauthenticated",
        "pushing telemetry needs a bearer token with the role ingest",
      );
    }
  }
}

function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const part of header?.split(";") ?? []) {
    const [key, ...value] = part.trim().split("=");
    if (key === name) return value.join("=");
  }
  return undefined;
}
