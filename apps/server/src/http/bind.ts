/** Binds the routes of `@skopos/api` to handlers: validates what comes in, checks the role, sends what comes out. */
import type { FastifyInstance, FastifyReply } from "fastify";
import { SkoposError } from "@skopos/model";
import { apiPrefix, type ReplyOf, type RouteName, routes } from "@skopos/api";
import type { z } from "zod";
import { sendBig } from "./big-answer.ts";
import type { Guard } from "./guard.ts";
import type { Principal } from "./sessions.ts";

interface Call<Name extends RouteName> {
  readonly params: Readonly<Record<string, string>>;
  readonly query: z.output<(typeof routes)[Name]["query"]>;
  readonly body: z.output<(typeof routes)[Name]["body"]>;
  /** "anonymous" where the route lets anyone in. */
  readonly principal: Principal;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  readonly reply: FastifyReply;
}

export type ApiHandlers = {
  readonly [Name in RouteName]: (call: Call<Name>) => Reply<Name>;
};

type Reply<Name extends RouteName> = Promise<ReplyOf<Name> | JsonBytes> | ReplyOf<Name>;

/** A reply that was put into words where it was made. */
export class JsonBytes {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

const anonymous: Principal = { user: "anonymous", role: "viewer", csrfToken: "" };

function parsed<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: string,
): z.output<Schema> {
  const result = schema.safeParse(value ?? {});
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue && issue.path.length > 0 ? ` at ${issue.path.join(".")}` : "";
  throw new SkoposError("bad-request", `${what}${place}: ${issue?.message ?? "not as expected"}`);
}

/** Aborts when the connection closes before the answer is out. */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.on("close", () => {
    if (!reply.raw.writableEnded) controller.abort();
  });
  return controller.signal;
}

export function bindApi(app: FastifyInstance, guard: Guard, handlers: ApiHandlers): void {
  for (const name of Object.keys(routes) as RouteName[]) bindRoute(app, guard, handlers, name);
}

function bindRoute<Name extends RouteName>(
  app: FastifyInstance,
  guard: Guard,
  handlers: ApiHandlers,
  name: Name,
): void {
  const route = routes[name];
  app.route({
    method: route.method,
    url: `${apiPrefix}${route.path}`,
    handler: async (request, reply) => {
      const changes = route.method !== "GET";
      const principal =
        route.role === "anyone" ? anonymous : guard.require(request, route.role, changes);
      const call: Call<Name> = {
        params: request.params as Record<string, string>,
        query: parsed(route.query, request.query, "query") as Call<Name>["query"],
        body: parsed(route.body, request.body, "body") as Call<Name>["body"],
        principal,
        signal: goneSignal(reply),
        reply,
      };
      const handler = handlers[name] as (call: Call<Name>) => Reply<Name>;
      const answer = await handler(call);
      const bytes =
        answer instanceof JsonBytes ? answer.bytes : Buffer.from(JSON.stringify(answer));
      reply.type("application/json; charset=utf-8");
      await sendBig(request, reply, { bytes, deflated: undefined });
      return reply;
    },
  });
}
