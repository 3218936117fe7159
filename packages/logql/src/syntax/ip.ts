/** Addresses and ranges of them, as `ip("…")` names them: an address, `from-to`, or a CIDR; IPv4 and IPv6. */

export interface IpRange {
  readonly version: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

export interface IpAddress {
  readonly version: 4 | 6;
  readonly value: bigint;
}

export function parseIp(text: string): IpAddress | undefined {
  if (!text.includes(":")) {
    const value = parseIpv4(text);
    return value === undefined ? undefined : { version: 4, value };
  }
  const value = parseIpv6(text);
  return value === undefined ? undefined : { version: 6, value };
}

function parseIpv4(text: string): bigint | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  let value = 0;
  for (const part of match.slice(1)) {
    const number = Number(part);
    if (number > 255 || (part.length > 1 && part.startsWith("0"))) return undefined;
    value = value * 256 + number;
  }
  return BigInt(value);
}

function parseIpv6(text: string): bigint | undefined {
  const plain = text.replace(/%.*$/, "");
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(plain);
  let body = plain;
  if (tail) {
    const low = parseIpv4(tail[2] ?? "");
    if (low === undefined) return undefined;
    body = `${tail[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  }
  const halves = body.split("::");
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const [head = [], rest] = groups;
  const known = head.length + (rest?.length ?? 0);
  if (rest === undefined ? known !== 8 : known > 7) return undefined;
  const filled = [...head, ...Array.from({ length: 8 - known }, () => "0"), ...(rest ?? [])];
  let value = 0n;
  for (const group of filled) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    value = value * 65_536n + BigInt(Number.parseInt(group, 16));
  }
  return value;
}

/** Undefined for what is not a pattern. */
export function parseIpRange(pattern: string): IpRange | undefined {
  const slash = pattern.indexOf("/");
  if (slash >= 0) return parseCidr(pattern.slice(0, slash), pattern.slice(slash + 1));
  const [from = "", to] = pattern.split("-");
  const first = parseIp(from.trim());
  const last = to === undefined ? first : parseIp(to.trim());
  if (!first || !last || first.version !== last.version || first.value > last.value)
    return undefined;
  return { version: first.version, first: first.value, last: last.value };
}

function parseCidr(address: string, length: string): IpRange | undefined {
  const ip = parseIp(address);
  const bits = ip?.version === 6 ? 128 : 32;
  if (!ip || !/^\d{1,3}$/.test(length) || Number(length) > bits) return undefined;
  const free = BigInt(bits - Number(length));
  const first = (ip.value >> free) << free;
  return { version: ip.version, first, last: first + (1n << free) - 1n };
}
