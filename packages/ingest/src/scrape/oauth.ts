/**
 * OAuth 2.0 client credentials: a token from the token endpoint, kept until shortly before it expires, one request at a time
 * however many wait for it. Errors name the endpoint and its error code, never what was sent.
 * Source: RFC 6749 §2.3.1, §4.4, §5.
 */
import type { Clock } from "@skopos/model";
import { type Dispatcher, request } from "undici";
import { IngestError } from "../errors.ts";
import type { OAuthConfig } from "./http-config.ts";
import { revealSecret } from "./secret.ts";

/** Tokens are renewed so much earlier than they expire. */
const earlyMs = 10_000;
/** For tokens that do not say how long they are good. */
const lifetimeMsDefault = 300_000;
const timeoutMs = 10_000;
const answerBytesMax = 64 * 1024;

interface Token {
  readonly text: string;
  readonly untilMs: number;
}

interface TokenAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export class OAuthToken {
  readonly #config: OAuthConfig;
  readonly #clock: Clock;
  readonly #dispatcher: () => Dispatcher;
  #token: Token | undefined;
  #asking: Promise<Token> | undefined;
  /** Most endpoints take the client's secret in a header; some in the form alone. */
  #inForm = false;

  constructor(config: OAuthConfig, clock: Clock, dispatcher: () => Dispatcher) {
    this.#config = config;
    this.#clock = clock;
    this.#dispatcher = dispatcher;
  }

  /** The `Authorization` header. Throws "unauthenticated" when there is no token to be had. */
  async authorization(): Promise<string> {
    if (!this.#token || this.#clock.monotonicMs() >= this.#token.untilMs) {
      this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
      this.#token = await this.#asking;
    }
    return `Bearer ${this.#token.text}`;
  }

  async #ask(): Promise<Token> {
    const askedMs = this.#clock.monotonicMs();
    let answer = await this.#post();
    if (!this.#inForm && (answer.status === 400 || answer.status === 401)) {
      this.#inForm = true;
      answer = await this.#post();
      if (answer.status !== 200) this.#inForm = false;
    }
    const { status, body } = answer;
    const { access_token: text, expires_in: lifetime, error } = body;
    if (status !== 200 || typeof text !== "string" || text === "")
      throw new IngestError(
        "unauthenticated",
        `oauth2: ${this.#endpoint()} gave no token: status ${status}${typeof error === "string" ? `, ${error.slice(0, 100)}` : ""}`,
      );
    const seconds = Number(lifetime);
    const lifetimeMs = seconds > 0 ? seconds * 1000 : lifetimeMsDefault;
    return { text, untilMs: askedMs + Math.max(0, lifetimeMs - earlyMs) };
  }

  #endpoint(): string {
    const { origin, pathname } = new URL(this.#config.tokenUrl);
    return `${origin}${pathname}`;
  }

  async #post(): Promise<TokenAnswer> {
    const { tokenUrl, clientId, clientSecret, scopes, endpointParams } = this.#config;
    const secret = revealSecret(clientSecret);
    const form = new URLSearchParams({ ...endpointParams, grant_type: "client_credentials" });
    if (scopes.length > 0) form.set("scope", scopes.join(" "));
    const headers: Record<string, string> = {
      "user-agent": "skopos",
      "content-type": "application/x-www-form-urlencoded",
      accept: "application/json",
    };
    if (this.#inForm) {
      form.set("client_id", clientId);
      form.set("client_secret", secret);
    } else headers["authorization"] = `Basic ${basicOf(clientId, secret)}`;
    const response = await request(tokenUrl, {
      method: "POST",
      dispatcher: this.#dispatcher(),
      headers,
      body: form.toString(),
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    const text = (await response.body.text()).slice(0, answerBytesMax);
    return { status: response.statusCode, body: fieldsOf(text) };
  }
}

/** Both are form-encoded before they are joined. */
function basicOf(clientId: string, secret: string): string {
  const encoded = (text: string) => new URLSearchParams({ x: text }).toString().slice(2);
  return Buffer.from(`${encoded(clientId)}:${encoded(secret)}`).toString("base64");
}

/** Nothing where it is no JSON object. */
function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
