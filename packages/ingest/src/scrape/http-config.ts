/**
 * How something is fetched over HTTP, as Prometheus's `<http_config>` says it: credentials, TLS, headers, redirects. Secrets
 * stay in `Secret` objects or files, which are read anew for each request, as they may be rotated.
 */
import { Secret } from "./secret.ts";
import type { Fields } from "./yaml-fields.ts";

/** PEM text, or the file that holds it. */
export type PemSource = { readonly text: Secret } | { readonly file: string };

export interface TlsConfig {
  readonly ca: PemSource | undefined;
  readonly cert: PemSource | undefined;
  readonly key: PemSource | undefined;
  readonly serverName: string | undefined;
  readonly insecureSkipVerify: boolean;
  readonly minVersion: TlsVersion | undefined;
  readonly maxVersion: TlsVersion | undefined;
}

type TlsVersion = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";

type SecretSource = Secret | { readonly file: string };

type Credentials =
  | {
      readonly scheme: "basic";
      readonly username: SecretSource;
      readonly secret: SecretSource;
    }
  | { readonly scheme: string; readonly secret: SecretSource };

/** Client credentials of OAuth 2.0. */
export interface OAuthConfig {
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: SecretSource;
  readonly scopes: readonly string[];
  readonly endpointParams: Readonly<Record<string, string>>;
  /** How the token endpoint is reached. */
  readonly tls: TlsConfig | undefined;
  readonly proxy: Secret | undefined;
}

export interface HttpConfig {
  readonly credentials: Credentials | undefined;
  readonly oauth2: OAuthConfig | undefined;
  /** The URL of a proxy, which may hold its credentials. */
  readonly proxy: Secret | undefined;
  readonly tls: TlsConfig | undefined;
  readonly headers: readonly { readonly name: string; readonly values: readonly SecretSource[] }[];
  readonly followRedirects: boolean;
}

export const plainHttp: HttpConfig = {
  credentials: undefined,
  oauth2: undefined,
  proxy: undefined,
  tls: undefined,
  headers: [],
  followRedirects: true,
};

/** Whether anything of it is read from a file of this machine. */
export function namesFiles({ credentials, oauth2, tls, headers }: HttpConfig): boolean {
  const secrets: unknown[] = [credentials?.secret, oauth2?.clientSecret];
  for (const each of [tls, oauth2?.tls]) secrets.push(each?.ca, each?.cert, each?.key);
  if (credentials && "username" in credentials) secrets.push(credentials.username);
  for (const { values } of headers) secrets.push(...values);
  return secrets.some(
    (each) => typeof each === "object" && each !== null && "file" in each && each.file !== "",
  );
}

/** Reads the HTTP settings among those of `map`; further ones of proxies are left to `finish` to name as ignored. */
export function readHttp(map: Fields): HttpConfig {
  const given = credentialSettings.filter((name) => map.has(name));
  const [, second] = given;
  if (second !== undefined) map.fail(`${given.join(" and ")} exclude each other: keep one`, second);
  return {
    credentials: readCredentials(map),
    oauth2: map.has("oauth2") ? readOAuth(map.child("oauth2")) : undefined,
    proxy: readProxy(map),
    tls: map.has("tls_config") ? readTls(map.child("tls_config")) : undefined,
    headers: readHeaders(map.child("http_headers")),
    followRedirects: map.flag("follow_redirects", true),
  };
}

const credentialSettings = [
  "basic_auth",
  "authorization",
  "oauth2",
  "bearer_token",
  "bearer_token_file",
];

function readOAuth(map: Fields): OAuthConfig {
  const tokenUrl = urlIn(map, "token_url");
  if (tokenUrl === "") map.fail("oauth2 needs a token_url");
  const clientId = map.text("client_id", "");
  if (clientId === "") map.fail("oauth2 needs a client_id");
  const oauth2 = {
    tokenUrl,
    clientId,
    clientSecret: readSecret(map, "client_secret"),
    scopes: map.texts("scopes"),
    endpointParams: map.strings("endpoint_params"),
    tls: map.has("tls_config") ? readTls(map.child("tls_config")) : undefined,
    proxy: readProxy(map),
  };
  map.finish();
  return oauth2;
}

function readProxy(map: Fields): Secret | undefined {
  const url = urlIn(map, "proxy_url");
  return url === "" ? undefined : new Secret(url);
}

/** "" when there is none. */
function urlIn(map: Fields, name: string): string {
  const url = map.text(name, "");
  // What it is may hold credentials.
  if (url !== "" && !(/^https?:\/\//.test(url) && URL.canParse(url)))
    map.fail(`${name} must be an http or https address`, name);
  return url;
}

function readCredentials(map: Fields): Credentials | undefined {
  if (map.has("basic_auth")) {
    const basic = map.child("basic_auth");
    const credentials: Credentials = {
      scheme: "basic",
      username: readSecret(basic, "username"),
      secret: readSecret(basic, "password"),
    };
    basic.finish();
    return credentials;
  }
  if (map.has("authorization")) {
    const authorization = map.child("authorization");
    const scheme = authorization.text("type", "Bearer");
    if (scheme.toLowerCase() === "basic")
      authorization.fail("authorization type Basic: use basic_auth instead", "type");
    const credentials = { scheme, secret: readSecret(authorization, "credentials") };
    authorization.finish();
    return credentials;
  }
  const token = readSecret(map, "bearer_token");
  return token instanceof Secret && token.reveal() === ""
    ? undefined
    : { scheme: "Bearer", secret: token };
}

function readSecret(map: Fields, name: string): SecretSource {
  const file = map.file(`${name}_file`);
  const text = map.text(name, "");
  if (file !== undefined && text !== "")
    map.fail(`${name} and ${name}_file exclude each other: keep one`, name);
  return file === undefined ? new Secret(text) : { file };
}

function readHeaders(map: Fields): HttpConfig["headers"] {
  return map.names().map((name) => {
    const header = map.child(name);
    const values: SecretSource[] = [
      ...header.texts("values").map((text) => new Secret(text)),
      ...header.texts("secrets").map((text) => new Secret(text)),
      ...header.files("files").map((file) => ({ file })),
    ];
    header.finish();
    return { name, values };
  });
}

const tlsVersions = ["TLS10", "TLS11", "TLS12", "TLS13"] as const;
const nodeVersions: Readonly<Record<(typeof tlsVersions)[number], TlsVersion>> = {
  TLS10: "TLSv1",
  TLS11: "TLSv1.1",
  TLS12: "TLSv1.2",
  TLS13: "TLSv1.3",
};

function readTls(map: Fields): TlsConfig {
  const version = (name: string) =>
    map.has(name) ? nodeVersions[map.oneOf(name, tlsVersions, undefined)] : undefined;
  const tls: TlsConfig = {
    ca: readPem(map, "ca"),
    cert: readPem(map, "cert"),
    key: readPem(map, "key"),
    serverName: map.text("server_name", "") || undefined,
    insecureSkipVerify: map.flag("insecure_skip_verify", false),
    minVersion: version("min_version"),
    maxVersion: version("max_version"),
  };
  if ((tls.cert === undefined) !== (tls.key === undefined))
    map.fail("tls_config needs both a certificate and its key, or neither");
  map.finish();
  return tls;
}

function readPem(map: Fields, name: string): PemSource | undefined {
  const file = map.file(`${name}_file`);
  const text = map.text(name, "");
  if (file !== undefined && text !== "")
    map.fail(`${name} and ${name}_file exclude each other: keep one`, name);
  if (file !== undefined) return { file };
  return text === "" ? undefined : { text: new Secret(text) };
}
