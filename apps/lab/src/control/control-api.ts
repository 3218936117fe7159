/**
 * The lab's control API, JSON over HTTP on loopback: scenarios, state, break, mend, load. Requests from other origins
 * and under foreign host names are refused, so that no web page can break the lab.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { messageOf, SkoposError } from "@skopos/model";
import { z } from "zod";
import { readBody } from "../http/message.ts";
import type { LoadReport } from "../load/report.ts";
import { type LoadShape, loadShapes } from "../load/shape.ts";
import { listen } from "../pod/listen.ts";
import type { Breakage } from "../scenario/breakage.ts";
import type { ScenarioLibrary } from "../scenario/library.ts";
import { parseScenario } from "../scenario/scenario-file.ts";

export interface ControlApiOptions {
  readonly host: string;
  readonly port: number;
  readonly library: ScenarioLibrary;
  readonly breakage: Breakage;
  readonly load: {
    readonly latest: LoadReport | undefined;
    set(rps: number, shape: LoadShape): void;
  };
}

const breakBody = z.strictObject({
  scenario: z.string().min(1),
  /** What errors call a scenario file whose text is given. */
  source: z.string().max(1000).optional(),
});
const loadBody = z.strictObject({
  rps: z.number().min(0).max(5000).optional(),
  shape: z.enum(loadShapes).optional(),
});

const statusByCode: Readonly<Record<string, number>> = {
  "bad-request": 400,
  "bad-document": 400,
  "unknown-scenario": 404,
  "not-found": 404,
  forbidden: 403,
  "already-broken": 409,
  "scenario-failed": 422,
};

export async function startControlApi(
  options: ControlApiOptions,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => void serve(options, request, response));
  const port = await listen(server, options.host, options.port);
  return {
    url: `http://${options.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve(
  options: ControlApiOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    refuseForeign(request);
    const body = (await readBody(request)).toString();
    answer(response, 200, await route(options, request, body));
  } catch (error) {
    const code = error instanceof SkoposError ? error.code : "internal";
    answer(response, statusByCode[code] ?? 500, { error: { code, message: messageOf(error) } });
  }
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(`${JSON.stringify(value)}\n`);
}

function refuseForeign(request: IncomingMessage): void {
  const host = (request.headers.host ?? "").replace(/:\d+$/, "");
  const origin = request.headers.origin;
  const foreign = !/^(127(\.\d+){3}|localhost|\[::1\])$/.test(host) || origin !== undefined;
  if (foreign) throw new SkoposError("forbidden", "the lab answers only local programs");
}

async function route(
  options: ControlApiOptions,
  request: IncomingMessage,
  body: string,
): Promise<unknown> {
  const path = (request.url ?? "/").split("?", 1)[0];
  switch (`${request.method} ${path}`) {
    case "GET /lab/v1/scenarios":
      return { scenarios: options.library.summaries() };
    case "GET /lab/v1/state":
      return stateOf(options);
    case "POST /lab/v1/break":
      return { broken: await breakIt(options, body) };
    case "POST /lab/v1/mend":
      return { mended: options.breakage.mend() ?? null };
    case "POST /lab/v1/load":
      return setLoad(options, body);
    default:
      throw new SkoposError("not-found", `the lab has no ${request.method} ${path}`);
  }
}

function stateOf({ breakage, load }: ControlApiOptions) {
  const { broken } = breakage;
  return {
    broken:
      broken === undefined
        ? null
        : { name: broken.name, title: broken.title, since: new Date(broken.sinceMs).toISOString() },
    load: load.latest ?? null,
  };
}

/** `scenario`: the name of one in the library, or the text of a scenario file (which has line breaks). */
async function breakIt({ breakage, library }: ControlApiOptions, body: string) {
  const { scenario, source = "scenario" } = parseBody(body, breakBody);
  const found = scenario.includes("\n") ? parseScenario(scenario, source) : library.get(scenario);
  const { name, title, sinceMs } = await breakage.break(found);
  return { name, title, since: new Date(sinceMs).toISOString() };
}

function setLoad({ load }: ControlApiOptions, body: string) {
  const wanted = parseBody(body, loadBody);
  const rps = wanted.rps ?? load.latest?.wantedRps ?? 0;
  const shape = wanted.shape ?? load.latest?.shape ?? "steady";
  load.set(rps, shape);
  return { load: { rps, shape } };
}

function parseBody<Schema extends z.ZodType>(text: string, schema: Schema): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SkoposError("bad-request", `the body is not JSON: ${messageOf(error)}`);
  }
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const where = issue === undefined ? "" : issue.path.map(String).join(".");
  throw new SkoposError("bad-request", `${where === "" ? "body" : where}: ${issue?.message}`);
}
