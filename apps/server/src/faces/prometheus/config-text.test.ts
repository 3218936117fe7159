import { describe, expect, it } from "vitest";
import { shownConfig, shownPool } from "./config-text.ts";

const text = `
# seen by nobody: hunter2
global: {scrape_interval: 15s}
scrape_configs:
  - job_name: api
    basic_auth: {username: me, password: hunter2}
    static_configs: [{targets: ["a:1"]}]
  - job_name: other
    authorization: {credentials: "hunter2"}
    bearer_token: hunter2
remote_write:
  - url: "http://me:hunter2@example.org/write"
    headers: {X-Key: hunter2}
`;

describe("the configuration that people see", () => {
  it("has no secret and everything else", () => {
    const shown = shownConfig(text);
    expect(shown).not.toContain("hunter2");
    expect(shown).toContain("scrape_interval: 15s");
    expect(shown).toContain("http://me:<secret>@example.org/write");
    expect(shown.match(/<secret>/g)).toHaveLength(5);
  });

  it("can be asked for by scrape pool", () => {
    expect(shownPool([text], "other")).toMatch(/^job_name: other\n/);
    expect(shownPool([text], "api")).not.toContain("hunter2");
    expect(shownPool([text], "none")).toBeUndefined();
  });

  it("names the pools of the cluster behind those of the file", () => {
    const job = { job_name: "podMonitor/a/b/0", tls_config: { key: "hunter2" } };
    const more = JSON.stringify({ global: { scrape_interval: "1s" }, scrape_configs: [job] });
    const shown = shownConfig(text, [more]);
    expect(shown).not.toContain("hunter2");
    expect([...shown.matchAll(/job_name: (\S+)/g)].map(([, name]) => name)).toEqual([
      "api",
      "other",
      "podMonitor/a/b/0",
    ]);
    expect(shown.match(/scrape_interval/g)).toHaveLength(1);
    expect(shownPool([text, more], "podMonitor/a/b/0")).toContain("key: <secret>");
  });
});
