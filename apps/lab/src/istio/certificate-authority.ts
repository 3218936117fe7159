/**
 * The mesh's certificate authority: signs workload certificates (SPIFFE SVIDs, ECDSA P-256) for public keys that pods
 * made themselves. https://spiffe.io/docs/latest/spiffe-specs/x509-svid/
 */
import "reflect-metadata";
import { createPublicKey, randomBytes, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import type { IssuedIdentity } from "../proxy/identity.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const rootLifeMs = 10 * 365 * 86_400_000;
/** Certificates begin a little in the past, for clocks that disagree. */
const leewayMs = 10_000;

export interface CertificateAuthority {
  readonly rootPem: string;
  readonly rootNotAfterMs: number;
  /** `publicKey`: PEM (SPKI). `principal`: "spiffe://…". */
  issue(principal: string, publicKey: string, lifeMs: number): Promise<IssuedIdentity>;
}

export async function createCertificateAuthority(
  nowMs: () => number,
  trustDomain: string,
): Promise<CertificateAuthority> {
  x509.cryptoProvider.set(webcrypto);
  const keys = await webcrypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
  const rootNotAfterMs = nowMs() + rootLifeMs;
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `O=${trustDomain}`,
    notBefore: new Date(nowMs() - leewayMs),
    notAfter: new Date(rootNotAfterMs),
    signingAlgorithm: algorithm,
    keys: keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
    ],
  });
  return {
    rootPem: root.toString("pem"),
    rootNotAfterMs,
    async issue(principal, publicKey, lifeMs) {
      const subjectKey = await webcrypto.subtle.importKey(
        "spki",
        createPublicKey(publicKey).export({ type: "spki", format: "der" }),
        algorithm,
        true,
        ["verify"],
      );
      const notBeforeMs = nowMs() - leewayMs;
      const notAfterMs = nowMs() + lifeMs;
      const serialNumber = serial();
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber,
        issuer: root.subject,
        notBefore: new Date(notBeforeMs),
        notAfter: new Date(notAfterMs),
        signingAlgorithm: algorithm,
        publicKey: subjectKey,
        signingKey: keys.privateKey,
        extensions: leafExtensions(principal),
      });
      return {
        certificateChain: certificate.toString("pem"),
        roots: root.toString("pem"),
        notBeforeMs,
        notAfterMs,
        serial: serialNumber,
      };
    },
  };
}

function leafExtensions(principal: string): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(
      x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
      true,
    ),
    new x509.ExtendedKeyUsageExtension([
      x509.ExtendedKeyUsage.serverAuth,
      x509.ExtendedKeyUsage.clientAuth,
    ]),
    new x509.SubjectAlternativeNameExtension([{ type: "url", value: principal }], true),
  ];
}

/** Positive, 16 bytes. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString("hex");
}
