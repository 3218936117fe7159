import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import Fastify, { type FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { servePage } from "./page.ts";

let dir: string;
let app: FastifyInstance;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "skopos-page-"));
  await writeFile(path.join(dir, "index.html"), "<!doctype html>");
  app = Fastify();
  await servePage(app, dir);
});

afterAll(async () => {
  await app.close();
  await rm(dir, { recursive: true, force: true });
});

const open = (url: string) => app.inject({ url, headers: { accept: "text/html" } });

describe("the page", () => {
  it("is there at every place of it, and nowhere among the interfaces", async () => {
    expect((await open("/incidents/i-1")).body).toBe("<!doctype html>");
    expect((await open("/api/nothing")).statusCode).toBe(404);
  });

  it("has a trace asked for while its code loads", async () => {
    const link =
      "</api/skopos/v1/traces/0aF1/outline>; rel=preload; as=fetch; crossorigin=anonymous";
    expect((await open("/traces/0aF1?span=1")).headers.link).toBe(link);
  });

  it.each(["/traces", "/traces/compare", "/traces/0a/b", "/incidents/0a"])(
    "has nothing asked for at %s",
    async (place) => {
      expect((await open(place)).headers.link).toBeUndefined();
    },
  );
});
