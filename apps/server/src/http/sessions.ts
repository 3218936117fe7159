/**
 * Who is calling and what they may do. Sessions are signed cookies (HMAC-SHA256 with a key of the data directory), so they
 * outlive a restart and need no table; one-time codes live in memory and die on use. Tokens are compared as SHA-256 digests.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Role } from "@skopos/api";

export interface Principal {
  readonly user: string;
  readonly role: Role;
  /** Session cookies must be accompanied by this; tokens and anonymous reads have none. */
  readonly csrfToken: string | undefined;
}

export interface TokenEntry {
  readonly name: string;
  readonly role: Role | "ingest";
  /** Hex SHA-256 of the token. */
  readonly sha256: string;
}

const ranks: Record<Role, number> = { viewer: 0, responder: 1, approver: 2, admin: 3 };

export function mayAct(role: Role, least: Role): boolean {
  return ranks[role] >= ranks[least];
}

export const digestOf = (token: string): string => createHash("sha256").update(token).digest("hex");

function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

const sessionMs = 12 * 3_600_000;
const codeMs = 10 * 60_000;
const codesMax = 100;
export const sessionCookie = "skopos_session";

interface SessionPayload {
  readonly id: string;
  readonly user: string;
  readonly role: Role;
  readonly expiresAt: number;
}

export class Sessions {
  readonly #key: Buffer;
  readonly #tokens: readonly TokenEntry[];
  readonly #nowMs: () => number;
  readonly #codes = new Map<string, { role: Role; user: string; expiresAt: number }>();

  constructor(key: Buffer, tokens: readonly TokenEntry[], nowMs: () => number) {
    this.#key = key;
    this.#tokens = tokens;
    this.#nowMs = nowMs;
  }

  /** A code for one sign-in, good for ten minutes. */
  issueCode(user: string, role: Role): string {
    for (const [code, entry] of this.#codes)
      if (entry.expiresAt < this.#nowMs()) this.#codes.delete(code);
    if (this.#codes.size >= codesMax) this.#codes.clear();
    const code = randomBytes(24).toString("base64url");
    this.#codes.set(digestOf(code), { role, user, expiresAt: this.#nowMs() + codeMs });
    return code;
  }

  /** Trades a code for a cookie value; undefined when the code is unknown, used or too old. */
  redeemCode(code: string): { cookie: string; principal: Principal } | undefined {
    const digest = digestOf(code);
    const entry = this.#codes.get(digest);
    this.#codes.delete(digest);
    if (!entry || entry.expiresAt < this.#nowMs()) return undefined;
    return this.#open(entry.user, entry.role);
  }

  /** Trades a token for a cookie value. */
  redeemToken(token: string): { cookie: string; principal: Principal } | undefined {
    const entry = this.#findToken(token);
    return entry && entry.role !== "ingest" ? this.#open(entry.name, entry.role) : undefined;
  }

  fromToken(token: string): Principal | undefined {
    const entry = this.#findToken(token);
    return entry && entry.role !== "ingest"
      ? { user: entry.name, role: entry.role, csrfToken: undefined }
      : undefined;
  }

  mayIngest(token: string): boolean {
    const entry = this.#findToken(token);
    return entry?.role === "ingest" || entry?.role === "admin";
  }

  fromCookie(cookie: string): Principal | undefined {
    const [body = "", signature = ""] = cookie.split(".");
    if (!sameText(signature, this.#sign(body))) return undefined;
    const payload = JSON.parse(Buffer.from(body, "base64url").toString("utf8")) as SessionPayload;
    if (payload.expiresAt < this.#nowMs()) return undefined;
    return { user: payload.user, role: payload.role, csrfToken: this.#sign(`csrf:${payload.id}`) };
  }

  #open(user: string, role: Role): { cookie: string; principal: Principal } {
    const id = randomBytes(16).toString("base64url");
    const payload: SessionPayload = { id, user, role, expiresAt: this.#nowMs() + sessionMs };
    const body = Buffer.from(JSON.stringify(payload)).toString("base64url");
    return {
      cookie: `${body}.${this.#sign(body)}`,
      principal: { user, role, csrfToken: this.#sign(`csrf:${id}`) },
    };
  }

  #sign(text: string): string {
    return createHmac("sha256", this.#key).update(text).digest("base64url");
  }

  #findToken(token: string): TokenEntry | undefined {
    const digest = digestOf(token);
    return this.#tokens.find((entry) => sameText(entry.sha256, digest));
  }
}
