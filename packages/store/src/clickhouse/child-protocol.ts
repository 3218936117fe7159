/** What the ClickHouse child and its supervisor say to each other over the process channel. */

export interface StartMessage {
  readonly type: "start";
  /** ClickHouse's data directory. */
  readonly path: string;
  readonly user: string;
  readonly password: string;
  /** 0: any free one. */
  readonly port: number;
  readonly memoryBytesMax: number;
  readonly readers: number;
}

export type ChildMessage =
  | { readonly type: "ready"; readonly port: number }
  | { readonly type: "failed"; readonly message: string };

function typed(message: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof message === "object" && message !== null ? { ...message } : undefined;
}

export function readStartMessage(message: unknown): StartMessage | undefined {
  const fields = typed(message);
  if (fields?.["type"] !== "start") return undefined;
  const { path, user, password, port, memoryBytesMax, readers } = fields;
  if (
    typeof path === "string" &&
    typeof user === "string" &&
    typeof password === "string" &&
    typeof port === "number" &&
    typeof memoryBytesMax === "number" &&
    typeof readers === "number"
  )
    return { type: "start", path, user, password, port, memoryBytesMax, readers };
  return undefined;
}

export function readChildMessage(message: unknown): ChildMessage | undefined {
  const fields = typed(message);
  if (fields?.["type"] === "ready" && typeof fields["port"] === "number")
    return { type: "ready", port: fields["port"] };
  if (fields?.["type"] === "failed" && typeof fields["message"] === "string")
    return { type: "failed", message: fields["message"] };
  return undefined;
}
