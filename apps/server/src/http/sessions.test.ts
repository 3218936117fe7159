import { describe, expect, it } from "vitest";
import { digestOf, Sessions } from "./sessions.ts";

const key = Buffer.alloc(32, 7);
const tokens = [
  { name: "ci", role: "approver" as const, sha256: digestOf("secret") },
  { name: "agent", role: "ingest" as const, sha256: digestOf("push") },
];

describe("Sessions", () => {
  it("trades a one-time code once", () => {
    const sessions = new Sessions(key, tokens, () => 1000);
    const code = sessions.issueCode("demo", "admin");
    const opened = sessions.redeemCode(code);
    expect(opened?.principal.role).toBe("admin");
    expect(sessions.redeemCode(code)).toBeUndefined();
  });

  it("refuses a code after ten minutes", () => {
    let nowMs = 0;
    const sessions = new Sessions(key, tokens, () => nowMs);
    const code = sessions.issueCode("demo", "admin");
    nowMs = 10 * 60_000 + 1;
    expect(sessions.redeemCode(code)).toBeUndefined();
  });

  it("knows its own cookies after a restart, and no others", () => {
    const cookie = new Sessions(key, tokens, () => 0).redeemToken("secret")?.cookie ?? "";
    expect(new Sessions(key, tokens, () => 0).fromCookie(cookie)?.user).toBe("ci");
    expect(new Sessions(Buffer.alloc(32, 8), tokens, () => 0).fromCookie(cookie)).toBeUndefined();
    expect(new Sessions(key, tokens, () => 0).fromCookie(`${cookie}x`)).toBeUndefined();
    expect(new Sessions(key, tokens, () => 13 * 3_600_000).fromCookie(cookie)).toBeUndefined();
  });

  it("gives ingest tokens no session and no reading", () => {
    const sessions = new Sessions(key, tokens, () => 0);
    expect(sessions.redeemToken("push")).toBeUndefined();
    expect(sessions.fromToken("push")).toBeUndefined();
    expect(sessions.mayIngest("push")).toBe(true);
    expect(sessions.mayIngest("secret")).toBe(false);
  });
});
