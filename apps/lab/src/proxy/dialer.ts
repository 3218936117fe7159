/** Opens connections to peers: plain TCP, or mutual TLS whose peer must present the expected SPIFFE identity. */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type ProxyIdentity, spiffeOf } from "./identity.ts";

interface DialTarget {
  readonly address: string;
  readonly port: number;
  readonly mutualTls: boolean;
  /** Identity that the peer must prove under mutual TLS; absent: any that the mesh's CA has signed. */
  readonly principal?: string;
  readonly timeoutMs: number;
}

export interface Dialed {
  readonly socket: Socket;
  /** Resolves when bytes can flow; rejects with the transport's reason. */
  readonly ready: Promise<void>;
}

export type Dial = (target: DialTarget) => Dialed;

/** The peer's TLS failed, as apart from not being reachable. */
export class TlsFailure extends Error {}

/** `localAddress`: what peers see as the caller; absent where the pod has no address of its own. */
export function createDial(identity: ProxyIdentity, localAddress: string | undefined): Dial {
  const local = localAddress === undefined ? {} : { localAddress };
  return (target) => {
    if (!target.mutualTls) {
      const socket = connectTcp({ host: target.address, port: target.port, ...local });
      return { socket, ready: established(socket, "connect", target.timeoutMs) };
    }
    const socket = connectTls({
      host: target.address,
      port: target.port,
      ...local,
      ...(identity.context === undefined ? {} : { secureContext: identity.context }),
      ALPNProtocols: ["istio", "http/1.1"],
      checkServerIdentity: (_host, certificate) => {
        const principal = spiffeOf(certificate);
        return target.principal === undefined || principal === target.principal
          ? undefined
          : new Error(`peer is ${principal ?? "nameless"}, expected ${target.principal}`);
      },
    });
    return { socket, ready: established(socket, "secureConnect", target.timeoutMs) };
  };
}

function established(socket: Socket, event: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let reached = false;
    socket.once("connect", () => {
      reached = true;
    });
    const timer = setTimeout(() => socket.destroy(new Error("connection timeout")), timeoutMs);
    socket.once(event, () => {
      clearTimeout(timer);
      resolve();
    });
    socket.once("error", (error) => {
      clearTimeout(timer);
      const tlsFailed = event === "secureConnect" && reached;
      reject(tlsFailed ? new TlsFailure(`TLS_error: ${error.message}`) : error);
    });
    socket.once("close", () => {
      clearTimeout(timer);
      reject(new Error("connection closed before it was established"));
    });
  });
}
