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

export interface HttpConfig {
  readonly credentials: Credentials | undefined;
  readonly tls: TlsConfig | undefined;
  readonly headers: readonly { readonly name: string; readonly values: readonly SecretSource[] }[];
  readonly followRedirects: boolean;
}

export const plainHttp: HttpConfig = {
  credentials: undefined,
  tls: undefined,
  headers: [],
  followRedirects: true,
};

/** Whether anything of it is read from a file of this machine. */
export function namesFiles({ credentials, tls, headers }: HttpConfig): boolean {
  const secrets: unknown[] = [tls?.ca, tls?.cert, tls?.key, credentials?.secret];
  if (credentials && "username" in credentials) secrets.push(credentials.username);
  for (const { values } of headers) secrets.push(...values);
  return secrets.some(
    (each) => typeof each === "object" && each !== null && "file" in each && each.file !== "",
  );
}

/** Reads the HTTP settings among those of `map`; proxies and OAuth are left to `finish` to name as ignored. */
export function readHttp(map: Fields): HttpConfig {
  const given = ["basic_auth", "authorization", "bearer_token", "bearer_token_file"].filter(
    (name) => map.has(name),
  );
  const [, second] = given;
  if (second !== undefined) map.fail(`${given.join(" and ")} exclude each other: keep one`, second);
  return {
    credentials: readCredentials(map),
    tls: map.has("tls_config") ? readTls(map.child("tls_config")) : undefined,
    headers: readHeaders(map.child("http_headers")),
    followRedirects: map.flag("follow_redirects", true),
  };
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
