import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { afterEach, expect, it } from "vitest";
import { selfSigned } from "../testing/self-signed.ts";
import { passingReads } from "./passing-reads.ts";

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** Connects to the server as a scrape does, but reads nothing; both ends. */
async function connected(server: Server, protocol: string, connect = {}) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const event = protocol === "https:" ? "secureConnection" : "connection";
  const accepted = once(server, event) as Promise<[Socket]>;
  const socket = await new Promise<Socket>((resolve, reject) => {
    const options = { hostname: "127.0.0.1", port: String(port), protocol };
    passingReads(connect)(options, (error, made) => (made ? resolve(made) : reject(error)));
  });
  const [far] = await accepted;
  stops.push(() => {
    socket.destroy();
    far.destroy();
    server.close();
  });
  return { socket, far };
}

/** Writes, and waits until the other end was told. */
async function sent(far: Socket, socket: Socket, bytes: Buffer): Promise<void> {
  const told = once(socket, "readable");
  far.write(bytes);
  await told;
}

it("keeps what nobody has read yet, whatever other connections read meanwhile", async () => {
  const one = await connected(createServer(), "http:");
  const other = await connected(createServer(), "http:");
  await sent(one.far, one.socket, Buffer.from("first "));
  await sent(other.far, other.socket, Buffer.alloc(1000, "x"));
  await sent(one.far, one.socket, Buffer.from("second"));
  await sent(other.far, other.socket, Buffer.alloc(1000, "y"));
  expect(String(one.socket.read())).toBe("first second");
  expect(one.socket.read()).toBe(null);
  expect(String(other.socket.read())).toBe("x".repeat(1000) + "y".repeat(1000));
});

it("ends a connection that sends more than anybody reads", async () => {
  const { socket, far } = await connected(createServer(), "http:");
  far.on("error", () => {});
  const failed = once(socket, "error");
  far.write(Buffer.alloc(3 * 2 ** 20));
  const [error] = (await failed) as [Error];
  expect(error.message).toBe("more was sent than anybody asked for");
  expect(socket.destroyed).toBe(true);
});

it("reads TLS into memory of its own, which stays what it is", async () => {
  const { cert, key } = selfSigned();
  const { socket, far } = await connected(createTlsServer({ cert, key }), "https:", { ca: cert });
  expect(socket).toMatchObject({ encrypted: true, authorized: true });
  const pieces: Buffer[] = [];
  let length = 0;
  const all = new Promise<void>((resolve) => {
    socket.on("data", (piece: Buffer) => {
      pieces.push(piece);
      length += piece.length;
      if (length === 200_000) resolve();
    });
  });
  far.write(Buffer.alloc(100_000, "a"), () => far.write(Buffer.alloc(100_000, "b")));
  await all;
  expect(pieces.length).toBeGreaterThan(1);
  expect(String(Buffer.concat(pieces))).toBe("a".repeat(100_000) + "b".repeat(100_000));
});
