/**
 * The proxy's workload certificate and what it trusts: the TLS contexts of both directions, replaced whole when the CA
 * sends a new certificate. Connections keep the certificate they were made with, as Envoy's do.
 */
import {
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
  type SecureContextOptions,
} from "node:tls";

export interface IssuedIdentity {
  /** PEM: the workload's certificate, then intermediates. */
  readonly certificateChain: string;
  /** PEM of the trust anchors. */
  readonly roots: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly serial: string;
}

export class ProxyIdentity {
  readonly #privateKey: string;
  #issued: IssuedIdentity | undefined;
  #context: SecureContext | undefined;

  /** `privateKey`: PEM; it never leaves the pod. */
  constructor(privateKey: string) {
    this.#privateKey = privateKey;
  }

  get issued(): IssuedIdentity | undefined {
    return this.#issued;
  }

  get context(): SecureContext | undefined {
    return this.#context;
  }

  /** What a TLS server needs; empty until a certificate has come (its handshakes then fail). */
  serverOptions(): SecureContextOptions {
    if (this.#issued === undefined) return {};
    const { certificateChain, roots } = this.#issued;
    return { key: this.#privateKey, cert: certificateChain, ca: roots, minVersion: "TLSv1.2" };
  }

  update(issued: IssuedIdentity): void {
    this.#issued = issued;
    this.#context = createSecureContext(this.serverOptions());
  }
}

/** The SPIFFE id in a certificate's URI names; undefined when it has none. */
export function spiffeOf(certificate: PeerCertificate | undefined): string | undefined {
  const names = certificate?.subjectaltname;
  if (names === undefined) return undefined;
  const found = /URI:(spiffe:\/\/[^,\s"]+)/.exec(names);
  return found?.[1];
}
