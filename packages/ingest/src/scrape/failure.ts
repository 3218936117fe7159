/** Why a fetch failed, in words for whoever looks after the target. Codes of Node, OpenSSL and undici are not for people. */
import { STATUS_CODES } from "node:http";
import { messageOf, SkoposError } from "@skopos/model";
import { ExpositionError } from "../errors.ts";

export interface Failure {
  /** Stable, for programs: "refused", "unreachable", "unknown-host", "certificate", "tls", "closed", or that of the error. */
  readonly code: string;
  readonly text: string;
}

/** `address` is the host and port that was asked. */
export function failureOf(error: unknown, address: string): Failure {
  if (error instanceof ExpositionError)
    return { code: error.code, text: `the page cannot be read: ${error.message}` };
  if (error instanceof SkoposError) return { code: error.code, text: error.message };
  const found = causes(error);
  for (const { code, message } of found) {
    const known = describe(code, message, address);
    if (known) return known;
  }
  const text = found.map(({ message }) => message).filter((message) => message !== "");
  return { code: "unavailable", text: [...new Set(text)].join(": ") };
}

export function statusText(status: number): string {
  const name = STATUS_CODES[status];
  return `server returned HTTP status ${status}${name === undefined ? "" : ` ${name}`}`;
}

interface Cause {
  readonly code: string;
  readonly message: string;
}

/** The error, what caused it, and so on; of several attempts (one for each address of a host) all. */
function causes(error: unknown, depth = 0): Cause[] {
  if (!(error instanceof Error) || depth > 5) return [{ code: "", message: messageOf(error) }];
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  // undici's parser names no code where the answer does not even begin as HTTP.
  const isParser = code === "" && error.name === "HTTPParserError";
  const own = { code: isParser ? "HPE_INVALID" : code, message: error.message };
  if (error instanceof AggregateError)
    return [...error.errors.flatMap((each) => causes(each, depth + 1)), own];
  return error.cause === undefined ? [own] : [...causes(error.cause, depth + 1), own];
}

const certificateReasons: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  CERT_REVOKED: "its certificate was revoked",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed: name its CA in tls_config",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate's CA is not trusted: name the CA in tls_config",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate's CA is not trusted: name the CA in tls_config",
  UNABLE_TO_GET_ISSUER_CERT: "its certificate's CA is not known: name the CA in tls_config",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate's CA is not known: name the CA in tls_config",
};

function describe(code: string, message: string, address: string): Failure | undefined {
  const certificate = certificateReasons[code];
  if (certificate !== undefined)
    return { code: "certificate", text: `${address} is not trusted: ${certificate}` };
  switch (code) {
    case "ECONNREFUSED":
      return { code: "refused", text: `connection refused: nothing listens on ${address}` };
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return { code: "unreachable", text: `no route to ${address}` };
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return { code: "unknown-host", text: `the host name of ${address} cannot be resolved` };
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return { code: "certificate", text: `${address} is not trusted: ${message}` };
    case "ECONNRESET":
    case "EPIPE":
    case "UND_ERR_SOCKET":
      return { code: "closed", text: `${address} closed the connection before it had answered` };
    case "ETIMEDOUT":
    case "UND_ERR_CONNECT_TIMEOUT":
      return { code: "timeout", text: `timed out while connecting to ${address}` };
    default:
      return describeProtocol(code, address);
  }
}

function describeProtocol(code: string, address: string): Failure | undefined {
  if (/ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|HANDSHAKE_FAILURE)/.test(code))
    return {
      code: "certificate",
      text: `${address} refused our certificate, or wants one: name cert and key in tls_config`,
    };
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG")
    return { code: "tls", text: `${address} does not speak TLS: is its scheme http?` };
  if (code === "EPROTO" || code.startsWith("ERR_SSL_"))
    return { code: "tls", text: `no TLS connection to ${address} (${code})` };
  if (code.startsWith("HPE_"))
    return { code: "not-http", text: `${address} does not answer in HTTP: is its scheme https?` };
  if (code.startsWith("Z_"))
    return { code: "bad-gzip", text: "the page is not the gzip that its header promises" };
  return undefined;
}
