import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import type { ApiHandlers } from "./bind.ts";
import { bindApi } from "./bind.ts";
import { createApp } from "./app.ts";
import { Guard } from "./guard.ts";
import { digestOf, Sessions } from "./sessions.ts";

/** Answers every call with its route's name, and remembers who called. */
function answering(called: string[]): ApiHandlers {
  return new Proxy({} as ApiHandlers, {
    get: (_target, name: string) => (call: { principal: { user: string } }) => {
      called.push(`${name} by ${call.principal.user}`);
      return { ok: true };
    },
  });
}

function server(settings: { anonymousRead?: boolean } = {}) {
  const sessions = new Sessions(
    Buffer.alloc(32, 1),
    [
      { name: "rita", role: "responder", sha256: digestOf("rita-token") },
      { name: "ada", role: "approver", sha256: digestOf("ada-token") },
    ],
    () => 0,
  );
  const guard = new Guard(sessions, {
    hosts: [],
    anonymousRead: settings.anonymousRead ?? true,
    anonymousIngest: true,
  });
  const app = createApp(guard, pino({ level: "silent" }));
  const called: string[] = [];
  bindApi(app, guard, answering(called));
  return { app, sessions, called };
}

const approve = "/api/skopos/v1/incidents/i/actions/a/approve";
const host = "127.0.0.1:7080";
const body = { confirm: "user-service" };

describe("the guard", () => {
  const opened: { close(): Promise<unknown> }[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((app) => app.close()));
  });
  const start = (settings?: { anonymousRead?: boolean }) => {
    const made = server(settings);
    opened.push(made.app);
    return made;
  };

  it("lets anyone on loopback read, and nobody nameless change", async () => {
    const { app, called } = start();
    expect(
      (await app.inject({ url: "/api/skopos/v1/incidents", headers: { host } })).statusCode,
    ).toBe(200);
    const refused = await app.inject({
      method: "POST",
      url: approve,
      headers: { host },
      payload: body,
    });
    expect([refused.statusCode, refused.json().error.code]).toEqual([401, "unauthenticated"]);
    expect(called).toEqual(["incidents by anonymous"]);
  });

  it("refuses a name that was rebound to loopback", async () => {
    const { app } = start();
    const answer = await app.inject({
      url: "/api/skopos/v1/incidents",
      headers: { host: "evil.example" },
    });
    expect([answer.statusCode, answer.json().error.code]).toEqual([421, "wrong-host"]);
  });

  it("does not let a page of another origin approve an action, even with the session's cookie and token", async () => {
    const { app, sessions, called } = start();
    const { cookie, principal } = sessions.redeemToken("ada-token") ?? {
      cookie: "",
      principal: { csrfToken: "" },
    };
    const headers = {
      host,
      cookie: `skopos_session=${cookie}`,
      "x-skopos-csrf": principal.csrfToken ?? "",
    };
    const foreign = await app.inject({
      method: "POST",
      url: approve,
      headers: { ...headers, origin: "http://evil.example" },
      payload: body,
    });
    expect([foreign.statusCode, foreign.json().error.code]).toEqual([403, "wrong-origin"]);
    const otherPort = await app.inject({
      method: "POST",
      url: approve,
      headers: { ...headers, origin: "http://127.0.0.1:9999" },
      payload: body,
    });
    expect(otherPort.statusCode).toBe(403);
    expect(called).toEqual([]);
    const own = await app.inject({
      method: "POST",
      url: approve,
      headers: { ...headers, origin: `http://${host}` },
      payload: body,
    });
    expect(own.statusCode).toBe(200);
    expect(called).toEqual(["approveAction by ada"]);
  });

  it("asks a cookie session for its CSRF token when it changes something", async () => {
    const { app, sessions } = start();
    const { cookie } = sessions.redeemToken("ada-token") ?? { cookie: "" };
    const headers = { host, cookie: `skopos_session=${cookie}` };
    const bare = await app.inject({ method: "POST", url: approve, headers, payload: body });
    expect([bare.statusCode, bare.json().error.code]).toEqual([403, "csrf"]);
    const wrong = await app.inject({
      method: "POST",
      url: approve,
      headers: { ...headers, "x-skopos-csrf": "x" },
      payload: body,
    });
    expect(wrong.statusCode).toBe(403);
  });

  it("holds roles apart: a responder may not approve", async () => {
    const { app } = start();
    const headers = { host, authorization: "Bearer rita-token" };
    const refused = await app.inject({ method: "POST", url: approve, headers, payload: body });
    expect([refused.statusCode, refused.json().error.code]).toEqual([403, "forbidden"]);
    const note = await app.inject({
      method: "POST",
      url: "/api/skopos/v1/incidents/i/notes",
      headers,
      payload: { text: "looking" },
    });
    expect(note.statusCode).toBe(200);
  });

  it("refuses unknown tokens and forged cookies instead of treating them as nobody", async () => {
    const { app } = start({ anonymousRead: false });
    const token = await app.inject({
      url: "/api/skopos/v1/incidents",
      headers: { host, authorization: "Bearer no" },
    });
    expect(token.statusCode).toBe(401);
    const forged = await app.inject({
      url: "/api/skopos/v1/incidents",
      headers: { host, cookie: "skopos_session=e30.x" },
    });
    expect(forged.statusCode).toBe(401);
  });

  it("says which part of a body is wrong", async () => {
    const { app } = start();
    const answer = await app.inject({
      method: "POST",
      url: approve,
      headers: { host, authorization: "Bearer ada-token" },
      payload: {},
    });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error.message).toContain("body at confirm");
  });
});
