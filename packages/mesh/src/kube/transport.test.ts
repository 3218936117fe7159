import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { credentialsOf } from "./transport.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("credentials of a cluster", () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), "skopos-kubeconfig-"));
  afterAll(() => rmSync(dir, { recursive: true }));

  it("come from the kubeconfig's current context, certificates included", async () => {
    const kubeconfig = path.join(dir, "config");
    const config = {
      "current-context": "kind",
      contexts: [{ name: "kind", context: { cluster: "c", user: "u" } }],
      clusters: [
        {
          name: "c",
          cluster: { server: "https://127.0.0.1:6443", "certificate-authority-data": base64("CA") },
        },
      ],
      users: [
        {
          name: "u",
          user: { "client-certificate-data": base64("CERT"), "client-key-data": base64("KEY") },
        },
      ],
    };
    writeFileSync(kubeconfig, JSON.stringify(config));
    expect(await credentialsOf({ kubeconfig })).toEqual({
      server: "https://127.0.0.1:6443",
      token: undefined,
      ca: "CA",
      cert: "CERT",
      key: "KEY",
    });
  });

  it("are the token where one is given", async () => {
    expect(await credentialsOf({ server: "http://127.0.0.1:8001", token: "t" })).toMatchObject({
      token: "t",
      ca: undefined,
    });
    expect(await credentialsOf({ server: "https://127.0.0.1:6443", token: "t" })).toMatchObject({
      token: "t",
    });
  });

  it("are refused with a reason when there is no usable kubeconfig", async () => {
    await expect(credentialsOf({ kubeconfig: path.join(dir, "none") })).rejects.toMatchObject({
      code: "invalid",
    });
  });
});
