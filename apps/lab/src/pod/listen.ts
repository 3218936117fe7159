/** Listens and resolves with the port; rejects with a message that says what to do when the address is taken. */
import type { Server } from "node:net";
import { SkoposError } from "@skopos/model";

export function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const why =
        error.code === "EADDRINUSE"
          ? "is in use: stop what listens there or choose another port"
          : `cannot be listened on: ${error.message}`;
      reject(new SkoposError("listen-failed", `${host}:${port} ${why}`, { cause: error }));
    });
    server.listen({ host, port }, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}
