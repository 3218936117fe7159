/** Test servers: on loopback, at a free port, ended with whatever is still connected. */
import { once } from "node:events";
import type { Server } from "node:http";
import type { Server as TlsServer } from "node:https";

export interface Listening {
  readonly port: number;
  readonly stop: () => Promise<void>;
}

export async function listening(server: Server | TlsServer): Promise<Listening> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
