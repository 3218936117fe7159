/**
 * The client side of one HTTP/1.1 connection: one exchange at a time, requests counted. The owner decides what socket
 * it runs on (plain or TLS) and what becomes of it afterwards.
 */
import type { Socket } from "node:net";
import { hopHeaders, type HttpRequest, withoutHeaders } from "./message.ts";
import { type ParsedResponse, ResponseParser } from "./response-parser.ts";

/** The connection ended or was reset before the response was complete. */
export class ConnectionLostError extends Error {
  /** Whether any byte of the response had come. */
  readonly responseStarted: boolean;

  constructor(message: string, responseStarted: boolean) {
    super(message);
    this.responseStarted = responseStarted;
  }
}

interface Exchange {
  resolve: (response: ParsedResponse) => void;
  reject: (error: Error) => void;
}

export class Http1Connection {
  readonly socket: Socket;
  requests = 0;
  #parser = new ResponseParser();
  #exchange: Exchange | undefined;
  #closed = false;
  #keepAlive = true;

  constructor(socket: Socket, onClosed: () => void) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => this.#receive(bytes));
    socket.on("error", (error) => this.#lose(error.message));
    socket.on("end", () => this.#ended());
    socket.on("close", () => {
      this.#lose("connection closed");
      onClosed();
    });
  }

  /** Neither closed nor told to close, and no exchange running. */
  get usable(): boolean {
    return !this.#closed && this.#keepAlive && this.#exchange === undefined && this.socket.writable;
  }

  exchange(request: HttpRequest): Promise<ParsedResponse> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new ConnectionLostError("connection closed", false));
      this.#exchange = { resolve, reject };
      this.requests++;
      this.#parser.expect(request.method);
      this.socket.write(encode(request));
    });
  }

  /** Closes now; a running exchange fails with `ConnectionLostError`. */
  destroy(): void {
    this.#lose("closed on this side");
    this.socket.destroy();
  }

  #receive(bytes: Buffer): void {
    if (this.#exchange === undefined) return this.destroy();
    try {
      const response = this.#parser.push(bytes);
      if (response !== undefined) this.#complete(response);
    } catch (error) {
      this.#lose(error instanceof Error ? error.message : "unreadable response");
      this.socket.destroy();
    }
  }

  #ended(): void {
    const response = this.#exchange === undefined ? undefined : this.#parser.end();
    if (response !== undefined) this.#complete(response);
    this.#lose("connection closed by the peer");
    this.socket.destroy();
  }

  #complete(response: ParsedResponse): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#keepAlive = response.keepAlive;
    exchange?.resolve(response);
  }

  #lose(reason: string): void {
    this.#closed = true;
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.reject(new ConnectionLostError(reason, this.#parser.started));
  }
}

function encode(request: HttpRequest): Buffer {
  let head = `${request.method} ${request.path} HTTP/1.1\r\n`;
  const headers = withoutHeaders(request.headers, hopHeaders);
  for (let i = 0; i + 1 < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  const hasBody = request.body.length > 0 || request.method === "POST" || request.method === "PUT";
  if (hasBody) head += `content-length: ${request.body.length}\r\n`;
  const headBytes = Buffer.from(`${head}\r\n`, "latin1");
  return request.body.length === 0 ? headBytes : Buffer.concat([headBytes, request.body]);
}
