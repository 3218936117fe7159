/**
 * Connections as an `HttpConfig` says: directly or through a proxy, TLS from files that may be rotated. Files are looked at
 * again at most once a minute, and when one has changed, new connections use the new one.
 */
import { readFileSync } from "node:fs";
import { type Clock, messageOf } from "@skopos/model";
import { Agent, type Dispatcher, interceptors, ProxyAgent } from "undici";
import { IngestError } from "../errors.ts";
import { type HttpConfig, type PemSource, plainHttp, type TlsConfig } from "./http-config.ts";
import { OAuthToken } from "./oauth.ts";
import { passingReads } from "./passing-reads.ts";
import { revealSecret } from "./secret.ts";

const redirectsMax = 10;
const lookAgainMs = 60_000;

export class HttpAgent {
  readonly #http: HttpConfig;
  readonly #clock: Clock;
  #agent: Dispatcher;
  #dispatcher: Dispatcher;
  #options: Record<string, unknown>;
  #looked: number;
  readonly #closing = new Set<Promise<void>>();

  readonly #connections: number | undefined;

  readonly #passing: boolean;

  readonly #token: OAuthToken | undefined;
  /** To the token endpoint. */
  readonly #tokenAgent: HttpAgent | undefined;

  /**
   * `connections` bounds those to one host; watches need one each. `passing`: as `passingReads` says. Throws "bad-config" when a
   * TLS file cannot be read.
   */
  constructor(http: HttpConfig, clock: Clock, connections?: number, passing = false) {
    this.#connections = connections;
    this.#passing = passing;
    this.#http = http;
    this.#clock = clock;
    this.#looked = clock.monotonicMs();
    this.#options = connectOptions(http.tls);
    this.#agent = this.#agentNow();
    this.#dispatcher = redirecting(this.#agent, http);
    const { oauth2 } = http;
    if (!oauth2) return;
    const agent = new HttpAgent({ ...plainHttp, tls: oauth2.tls, proxy: oauth2.proxy }, clock, 1);
    this.#tokenAgent = agent;
    this.#token = new OAuthToken(oauth2, clock, () => agent.dispatcher());
  }

  #agentNow(): Dispatcher {
    const bound = this.#connections === undefined ? {} : { connections: this.#connections };
    const options = { ...bound, pipelining: 1, keepAliveTimeout: 30_000 };
    const proxy = this.#http.proxy?.reveal();
    if (proxy === undefined) {
      const connect = this.#passing ? passingReads(this.#options) : this.#options;
      return new Agent({ ...options, connect });
    }
    // As Go has it: plain requests are forwarded, and only those over TLS go through a tunnel.
    return new ProxyAgent({
      ...options,
      uri: proxy,
      proxyTunnel: false,
      requestTls: this.#options,
    });
  }

  /** Throws "bad-config" when a TLS file has gone. */
  dispatcher(): Dispatcher {
    const { tls } = this.#http;
    const now = this.#clock.monotonicMs();
    if (!tls || now - this.#looked < lookAgainMs) return this.#dispatcher;
    this.#looked = now;
    const options = connectOptions(tls);
    if (JSON.stringify(options) === JSON.stringify(this.#options)) return this.#dispatcher;
    const old = this.#agent;
    this.#options = options;
    this.#agent = this.#agentNow();
    this.#dispatcher = redirecting(this.#agent, this.#http);
    const closed = old.close().finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
    return this.#dispatcher;
  }

  /**
   * `Authorization` and the configured headers, with file contents read now and a token that is good. Throws "bad-config",
   * "unauthenticated".
   */
  async headers(): Promise<Record<string, string | string[]>> {
    const headers: Record<string, string | string[]> = {};
    for (const { name, values } of this.#http.headers)
      headers[name.toLowerCase()] = values.map((value) => revealSecret(value));
    const authorization = this.#token ? await this.#token.authorization() : this.authorization();
    if (authorization !== undefined) headers["authorization"] = authorization;
    return headers;
  }

  /** The header of credentials that are at hand, which tokens are not. Throws "bad-config". */
  authorization(): string | undefined {
    return authorizationHeader(this.#http);
  }

  async close(): Promise<void> {
    await Promise.all([this.#agent.destroy(), this.#tokenAgent?.close(), ...this.#closing]);
  }
}

function redirecting(agent: Dispatcher, { followRedirects }: HttpConfig): Dispatcher {
  if (!followRedirects) return agent;
  return agent.compose(interceptors.redirect({ maxRedirections: redirectsMax }));
}

/** What is handed to Node's TLS; empty for plain HTTP. */
function connectOptions(tls: TlsConfig | undefined): Record<string, unknown> {
  if (!tls) return {};
  const { ca, cert, key, serverName, minVersion, maxVersion } = tls;
  return {
    rejectUnauthorized: !tls.insecureSkipVerify,
    ...(ca && { ca: readPem(ca) }),
    ...(cert && { cert: readPem(cert) }),
    ...(key && { key: readPem(key) }),
    ...(serverName !== undefined && { servername: serverName }),
    ...(minVersion && { minVersion }),
    ...(maxVersion && { maxVersion }),
  };
}

function readPem(source: PemSource): string {
  if ("text" in source) return source.text.reveal();
  try {
    return readFileSync(source.file, "utf8");
  } catch (error) {
    throw new IngestError(
      "bad-config",
      `tls_config: cannot read ${source.file}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

function authorizationHeader({ credentials }: HttpConfig): string | undefined {
  if (!credentials) return undefined;
  const secret = revealSecret(credentials.secret);
  if (!("username" in credentials)) return `${credentials.scheme} ${secret}`;
  const username = revealSecret(credentials.username);
  return `Basic ${Buffer.from(`${username}:${secret}`).toString("base64")}`;
}
