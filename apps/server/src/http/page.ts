/**
 * Serves the built web page: hashed assets for ever, index.html for every path that is a place of the page, with a hint of
 * what that place will ask for.
 */
import { existsSync } from "node:fs";
import path from "node:path";
import fastifyStatic from "@fastify/static";
import { pathOf } from "@skopos/api";
import type { FastifyInstance } from "fastify";

const reserved = /^\/(?:api|v1|loki|jaeger|tempo|metrics|federate|-)(?:\/|$)/;

const tracePage = /^\/traces\/([0-9a-f]{1,32})(?:\?|$)/i;

/** What the page at the address will ask for first, where that takes long: the browser asks while it loads the page's code. */
function firstCall(url: string): string | undefined {
  const id = tracePage.exec(url)?.[1];
  return id === undefined ? undefined : pathOf("traceOutline", { params: { id } });
}

export async function servePage(app: FastifyInstance, webDir: string): Promise<void> {
  if (!existsSync(path.join(webDir, "index.html"))) {
    app.get("/", (_request, reply) =>
      reply.type("text/plain").send("The web page is not built: run `npm run build`.\n"),
    );
    return;
  }
  await app.register(fastifyStatic, {
    root: webDir,
    wildcard: false,
    setHeaders(response, file) {
      const fixed = file.includes(`${path.sep}assets${path.sep}`);
      response.setHeader(
        "cache-control",
        fixed ? "public, max-age=31536000, immutable" : "no-cache",
      );
    },
  });
  app.setNotFoundHandler((request, reply) => {
    const wantsPage =
      request.method === "GET" &&
      !reserved.test(request.url.split("?")[0] ?? "") &&
      (request.headers.accept ?? "").includes("text/html");
    if (wantsPage) {
      const first = firstCall(request.url);
      if (first !== undefined)
        reply.header("link", `<${first}>; rel=preload; as=fetch; crossorigin=anonymous`);
      return reply.sendFile("index.html");
    }
    return reply.status(404).send({
      error: {
        code: "not-found",
        message: `there is nothing at ${request.method} ${request.url.split("?")[0] ?? ""}`,
      },
    });
  });
}
