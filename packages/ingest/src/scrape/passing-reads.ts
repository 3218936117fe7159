/**
 * Plain connections that read into one buffer for all of them. Otherwise every read of a socket allocates 64 KB outside the
 * heap, and a thread that reads some megabytes a second spends more time in the collector than on what it reads.
 *
 * What a handler of these connections is given is overwritten by the next read: it copies what it keeps before it returns,
 * and never pauses. TLS connections read as usual.
 */
import type { Socket } from "node:net";
import { buildConnector } from "undici";

const readBytes = 64 * 1024;
/** What a parser may leave unread; it takes all there is but when its connection fails. */
const heldBytesMax = 1024 * 1024;
let buffer: Buffer | undefined;

interface PassingSocket extends Socket {
  held: Buffer | undefined;
}

function onRead(this: unknown, size: number, bytes: Uint8Array): boolean {
  const socket = this as PassingSocket;
  const piece = Buffer.from(bytes.buffer, bytes.byteOffset, size);
  socket.held = socket.held ? Buffer.concat([socket.held, piece]) : piece;
  socket.emit("readable");
  // Nobody took it: it must outlast the next read.
  if (socket.held) socket.held = Buffer.from(socket.held);
  if (socket.held && socket.held.length > heldBytesMax)
    socket.destroy(new Error("more was sent than anybody asked for"));
  return true;
}

/** `connect` says what is handed to Node's sockets and to TLS. */
export function passingReads(connect: Record<string, unknown>): buildConnector.connector {
  const onTls = buildConnector(connect);
  buffer ??= Buffer.allocUnsafeSlow(readBytes);
  const plain: Record<string, unknown> = { ...connect, onread: { buffer, callback: onRead } };
  const onPlain = buildConnector(plain);
  return (options, callback) => {
    if (options.protocol === "https:") {
      onTls(options, callback);
      return;
    }
    onPlain(options, (...connected) => {
      const [, socket] = connected;
      if (socket) takeHeld(socket as PassingSocket);
      callback(...connected);
    });
  };
}

/** Who reads the socket is given what came last, then whatever the stream has: its end. */
function takeHeld(socket: PassingSocket): void {
  const read = socket.read.bind(socket);
  socket.held = undefined;
  socket.read = (size?: number): Buffer | null => {
    const { held } = socket;
    if (!held) return read(size) as Buffer | null;
    socket.held = undefined;
    return held;
  };
}
