/** The typed client that web and cli share. */
import { SkoposError } from "@skopos/model";
import { problem } from "./common.ts";
import {
  apiPrefix,
  type BodyOf,
  type QueryOf,
  type ReplyOf,
  type RouteName,
  routes,
} from "./routes.ts";

/** A refusal by the server, with its stable code. */
export class ApiError extends SkoposError {
  readonly httpStatus: number;
  readonly line: number | undefined;
  readonly column: number | undefined;

  constructor(
    code: string,
    message: string,
    httpStatus: number,
    place?: { line?: number | undefined; column?: number | undefined },
  ) {
    super(code, message);
    this.httpStatus = httpStatus;
    this.line = place?.line;
    this.column = place?.column;
  }
}

export interface CallOptions<Name extends RouteName> {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: QueryOf<Name>;
  readonly body?: BodyOf<Name>;
  readonly signal?: AbortSignal;
}

export interface ClientOptions {
  /** "" in a browser; "http://127.0.0.1:7080" elsewhere. */
  readonly baseUrl: string;
  readonly fetch: typeof fetch;
  /** Headers of each call: the bearer token, or the CSRF token of a session. */
  readonly headers: () => Record<string, string>;
}

export interface Client {
  /** Calls a route by name. Throws `ApiError`; code "unreachable" when no server answers. */
  call<Name extends RouteName>(name: Name, options?: CallOptions<Name>): Promise<ReplyOf<Name>>;
}

/** The path of a route with its parameters and query filled in. */
export function pathOf<Name extends RouteName>(
  name: Name,
  options: CallOptions<Name> = {},
): string {
  const path = routes[name].path.replaceAll(/:(\w+)/g, (_, key: string) =>
    encodeURIComponent(options.params?.[key] ?? ""),
  );
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(options.query ?? {}))
    if (typeof value === "string" || typeof value === "number") query.set(key, `${value}`);
  const search = query.size > 0 ? `?${query.toString()}` : "";
  return `${apiPrefix}${path}${search}`;
}

async function refusal(response: Response): Promise<ApiError> {
  const text = await response.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return new ApiError(
      "http",
      `the server answered ${response.status}: ${text.slice(0, 200)}`,
      response.status,
    );
  }
  const parsed = problem.safeParse(json);
  if (!parsed.success)
    return new ApiError("http", `the server answered ${response.status}`, response.status);
  const { code, message, line, column } = parsed.data.error;
  return new ApiError(code, message, response.status, { line, column });
}

export function createClient(options: ClientOptions): Client {
  return {
    async call<Name extends RouteName>(
      name: Name,
      call: CallOptions<Name> = {},
    ): Promise<ReplyOf<Name>> {
      const route = routes[name];
      const hasBody = route.method === "POST";
      let response: Response;
      try {
        response = await options.fetch(`${options.baseUrl}${pathOf(name, call)}`, {
          method: route.method,
          headers: {
            accept: "application/json",
            ...(hasBody ? { "content-type": "application/json" } : {}),
            ...options.headers(),
          },
          ...(hasBody ? { body: JSON.stringify(call.body ?? {}) } : {}),
          ...(call.signal ? { signal: call.signal } : {}),
        });
      } catch (cause) {
        if (call.signal?.aborted) throw new SkoposError("cancelled", "cancelled", { cause });
        throw new SkoposError(
          "unreachable",
          `no answer from ${options.baseUrl || "the server"}: is skopos running?`,
          { cause },
        );
      }
      if (!response.ok) throw await refusal(response);
      return (await response.json()) as ReplyOf<Name>;
    },
  };
}
