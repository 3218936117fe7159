import { request } from "node:http";
import { systemClock } from "@skopos/model";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createKubeApi, type KubeApi } from "../api.ts";

let api: KubeApi;
let url: string;

beforeEach(async () => {
  api = createKubeApi({ clock: systemClock, token: "secret" });
  ({ url } = await api.listen(0, "127.0.0.1"));
});

afterEach(() => api.close());

type Answer = { status: number; body: string };

/** A request with headers as given; `fetch` would not let a test forge Host and Origin. */
function call(
  method: string,
  path: string,
  headers: { [name: string]: string } = {},
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const all = { authorization: "Bearer secret", ...headers };
    const sent = request(url + path, { method, headers: all }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
      });
    });
    // A body refused while it is still being sent may end in a reset.
    sent.on("error", reject);
    sent.end(body);
  });
}

const json = { "content-type": "application/json" };
const rules = "/apis/networking.istio.io/VERSION/namespaces/default/destinationrules";
const configMaps = "/api/v1/namespaces/default/configmaps";

describe("who is let in", () => {
  it("refuses names that are not loopback, pages of other origins and wrong tokens", async () => {
    expect((await call("GET", "/api", { host: "evil.example" })).status).toBe(403);
    expect((await call("GET", "/api", { origin: "http://evil.example" })).status).toBe(403);
    expect((await call("GET", "/api", { authorization: "Bearer wrong" })).status).toBe(401);
    expect((await call("GET", "/api")).status).toBe(200);
  });

  it("refuses a body beyond 3 MiB", async () => {
    const body = JSON.stringify({
      metadata: { name: "big" },
      data: { a: "x".repeat(3 * 2 ** 20) },
    });
    const answer = await call("POST", configMaps, {
      ...json,
      "content-length": String(body.length),
    });
    expect(answer.status).toBe(413);
    expect(answer.body).toContain("limit is 3145728");
  });

  it("says which port is taken", async () => {
    const other = createKubeApi({ clock: systemClock });
    const port = Number(new URL(url).port);
    await expect(other.listen(port, "127.0.0.1")).rejects.toThrow(`127.0.0.1:${port} is in use`);
    await other.close();
  });
});

describe("answers", () => {
  it("are Status objects with the right code when refused", async () => {
    const cases: [method: string, path: string, body: string | undefined, status: number][] = [
      ["GET", `${configMaps}/none`, undefined, 404],
      ["GET", "/apis/none.example/v1/things", undefined, 404],
      ["PUT", configMaps, "{}", 405],
      ["POST", configMaps, "{", 400],
      ["POST", configMaps, `{"kind":"Pod","metadata":{"name":"x"}}`, 400],
      ["POST", configMaps, `{"metadata":{"name":"Not A Name"}}`, 422],
      ["POST", `${configMaps}?dryRun=Some`, `{"metadata":{"name":"x"}}`, 422],
      ["GET", `${configMaps}?fieldSelector=data.a%3D1`, undefined, 400],
    ];
    for (const [method, path, body, status] of cases) {
      const answer = await call(method, path, json, body);
      expect([path, answer.status]).toEqual([path, status]);
      expect(JSON.parse(answer.body)).toMatchObject({
        kind: "Status",
        status: "Failure",
        code: status,
      });
    }
    const text = { "content-type": "text/plain" };
    expect((await call("POST", configMaps, text, "{}")).status).toBe(415);
    expect((await call("GET", configMaps, { accept: "text/html" })).status).toBe(406);
  });

  it("come in pages that join to the whole", async () => {
    for (const name of ["a", "b", "c"]) {
      const metadata = { name, namespace: "default" };
      api.store.create({ apiVersion: "v1", kind: "ConfigMap", metadata });
    }
    const names: string[] = [];
    let token = "";
    do {
      const { body } = await call("GET", `${configMaps}?limit=2&continue=${token}`);
      const page = JSON.parse(body) as {
        metadata: { continue?: string };
        items: { metadata: { name: string } }[];
      };
      names.push(...page.items.map((item) => item.metadata.name));
      token = page.metadata.continue ?? "";
    } while (token !== "");
    expect(names).toEqual(["a", "b", "c"]);
    expect((await call("GET", `${configMaps}?continue=%21`)).status).toBe(400);
  });

  it("carry warnings about unknown fields, and refuse them when strict", async () => {
    const body = `{"metadata":{"name":"x"},"dota":{}}`;
    const strict = await call("POST", `${configMaps}?fieldValidation=Strict`, json, body);
    expect(strict.status).toBe(400);
    expect(strict.body).toContain(String.raw`strict decoding error: unknown field \"dota\"`);
    const response = await fetch(`${url}${configMaps}`, {
      method: "POST",
      headers: { ...json, authorization: "Bearer secret" },
      body,
    });
    expect(response.status).toBe(201);
    expect(response.headers.get("warning")).toBe(String.raw`299 - "unknown field \"dota\""`);
  });

  it("serve every version of a kind from one storage", async () => {
    const body = JSON.stringify({
      apiVersion: "networking.istio.io/v1alpha3",
      kind: "DestinationRule",
      metadata: { name: "d" },
      spec: { host: "h" },
    });
    expect((await call("POST", rules.replace("VERSION", "v1alpha3"), json, body)).status).toBe(201);
    const answer = await call("GET", `${rules.replace("VERSION", "v1beta1")}/d`);
    expect(JSON.parse(answer.body)).toMatchObject({
      apiVersion: "networking.istio.io/v1beta1",
      spec: { host: "h" },
    });
  });
});

/** Reads `count` events of a watch and leaves. */
async function events(query: string, count: number): Promise<{ type: string; object: unknown }[]> {
  const stop = new AbortController();
  const response = await fetch(`${url}${configMaps}?watch=true&${query}`, {
    headers: { authorization: "Bearer secret" },
    signal: stop.signal,
  });
  const read: { type: string; object: unknown }[] = [];
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    read.push(...lines.map((line) => JSON.parse(line) as { type: string; object: unknown }));
    if (read.length >= count) break;
  }
  stop.abort();
  return read;
}

function put(name: string, labels: { [key: string]: string }): void {
  const metadata = { name, namespace: "default", labels };
  api.store.create({ apiVersion: "v1", kind: "ConfigMap", metadata });
}

describe("watches", () => {
  it("resume from a revision and turn selection changes into additions and deletions", async () => {
    const from = api.store.storage.revision;
    put("a", { on: "no" });
    const set = (on: string) =>
      api.store.patch("ConfigMap", "default", "a", "merge", { metadata: { labels: { on } } });
    set("yes");
    set("no");
    const read = await events(`resourceVersion=${from}&labelSelector=on%3Dyes`, 2);
    expect(read.map(({ type }) => type)).toEqual(["ADDED", "DELETED"]);
  });

  it("send the present state first, closed by a bookmark, when asked for initial events", async () => {
    put("a", {});
    const read = await events("sendInitialEvents=true&allowWatchBookmarks=true", 2);
    expect(read.map(({ type }) => type)).toEqual(["ADDED", "BOOKMARK"]);
    expect(read[1]?.object).toMatchObject({
      metadata: { annotations: { "k8s.io/initial-events-end": "true" } },
    });
  });

  it("end after their time", async () => {
    const read = await events("timeoutSeconds=0", 1);
    expect(read).toEqual([]);
  });
});
