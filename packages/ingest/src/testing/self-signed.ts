/** A certificate for 127.0.0.1 that signs itself, made anew: DER by hand (RFC 5280), since Node has nothing that makes one. */
import { Buffer } from "node:buffer";
import { generateKeyPairSync, sign } from "node:crypto";

const tag = {
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  text: 0x0c,
  time: 0x17,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
  extensions: 0xa3,
  address: 0x87,
} as const;
const ecdsaWithSha256 = Buffer.from("06082a8648ce3d040302", "hex");
const commonName = Buffer.from("0603550403", "hex");
const subjectAltName = Buffer.from("0603551d11", "hex");

function der(kind: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  const size = length < 128 ? [length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([kind, ...size]), body]);
}

export interface SelfSigned {
  /** PEM, as is the key. */
  readonly cert: string;
  readonly key: string;
}

export function selfSigned(): SelfSigned {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = der(tag.sequence, ecdsaWithSha256);
  const text = der(tag.text, Buffer.from("target"));
  const name = der(tag.sequence, der(tag.set, der(tag.sequence, commonName, text)));
  const times = ["200101000000Z", "491231235959Z"].map((time) => der(tag.time, Buffer.from(time)));
  const address = der(tag.sequence, der(tag.address, Buffer.from([127, 0, 0, 1])));
  const extension = der(tag.sequence, subjectAltName, der(tag.octets, address));
  const signed = der(
    tag.sequence,
    der(tag.version, der(tag.integer, Buffer.from([2]))),
    der(tag.integer, Buffer.from([1])),
    algorithm,
    name,
    der(tag.sequence, ...times),
    name,
    pair.publicKey.export({ type: "spki", format: "der" }),
    der(tag.extensions, der(tag.sequence, extension)),
  );
  const signature = der(tag.bits, Buffer.from([0]), sign("sha256", signed, pair.privateKey));
  const cert = der(tag.sequence, signed, algorithm, signature).toString("base64");
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${cert.replace(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`,
    key: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}
