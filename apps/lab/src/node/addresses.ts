/**
 * Addresses for pods: on Linux every one of 127.0.0.0/8 can be bound without setting anything up, so a lab takes a /16
 * of it for itself, and holds it by listening on its first address while it lives. Where only 127.0.0.1 can be bound
 * (macOS), pods share it and listen on free ports.
 */
import { createServer, type Server } from "node:net";
import { randomInt } from "node:crypto";
import { SkoposError } from "@skopos/model";

const holdPort = 15_000;
const addressesMax = 60 * 250;

export interface PodAddresses {
  /** False: every pod is at 127.0.0.1. */
  readonly own: boolean;
  /** An address for a pod, and one beside it for its application. */
  take(): { address: string; appAddress: string };
  give(address: string): void;
  release(): void;
}

export async function claimAddresses(): Promise<PodAddresses> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const second = randomInt(1, 255);
    const held = await hold(`127.${second}.0.1`);
    if (held === "taken") continue;
    return held === "impossible" ? sharedAddress() : ownAddresses(second, held);
  }
  throw new SkoposError(
    "no-addresses",
    "50 loopback networks are all in use: stop other labs first",
  );
}

function hold(address: string): Promise<Server | "taken" | "impossible"> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code === "EADDRINUSE" ? "taken" : "impossible"),
    );
    server.listen({ host: address, port: holdPort }, () => resolve(server));
  });
}

function ownAddresses(second: number, held: Server): PodAddresses {
  let next = 10;
  const taken = new Set<number>();
  return {
    own: true,
    take() {
      for (let tries = 0; tries < addressesMax; tries++) {
        const index = next++ % addressesMax;
        if (taken.has(index)) continue;
        taken.add(index);
        const [third, fourth] = [Math.floor(index / 250), (index % 250) + 1];
        return {
          address: `127.${second}.${third}.${fourth}`,
          appAddress: `127.${second}.${third + 100}.${fourth}`,
        };
      }
      throw new SkoposError("no-addresses", `all ${addressesMax} pod addresses are in use`);
    },
    give(address) {
      const [, , third = "0", fourth = "1"] = address.split(".");
      taken.delete(Number(third) * 250 + Number(fourth) - 1);
    },
    release: () => void held.close(),
  };
}

function sharedAddress(): PodAddresses {
  return {
    own: false,
    take: () => ({ address: "127.0.0.1", appAddress: "127.0.0.1" }),
    give: () => undefined,
    release: () => undefined,
  };
}
