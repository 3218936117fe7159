/** Serves the built web page: hashed assets for ever, index.html for every path that is a place of the page. */
import { existsSync } from "node:fs";
import path from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";

const reserved = /^\/(?:api|v1|loki|jaeger|tempo|metrics|federate|-)(?:\/|$)/;

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
    if (wantsPage) return reply.sendFile("index.html");
    return reply.status(404).send({
      error: {
        code: "not-found",
        message: `there is nothing at ${request.method} ${request.url.split("?")[0] ?? ""}`,
      },
    });
  });
}
