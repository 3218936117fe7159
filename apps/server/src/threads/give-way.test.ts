import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";

const source = `
  import { readdirSync, readFileSync, readlinkSync } from "node:fs";
  import path from "node:path";
  import { giveWayToPaging } from ${JSON.stringify(new URL("./give-way.ts", import.meta.url).href)};
  const done = giveWayToPaging();
  const own = path.basename(readlinkSync("/proc/thread-self"));
  // Field 19 of proc(5)'s stat, counted behind the command's name.
  const niceOf = (id) => {
    const stat = readFileSync("/proc/self/task/" + id + "/stat", "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
  };
  const others = readdirSync("/proc/self/task").filter((id) => id !== own).map(niceOf);
  console.log(JSON.stringify({ done, own: niceOf(own), other: Math.min(...others) }));
`;

it.runIf(process.platform === "linux")(
  "a thread gives way, and the others of the process do not",
  () => {
    const args = ["--import", "tsx", "--input-type=module", "--eval", source];
    const printed = execFileSync(process.execPath, args, { encoding: "utf8" });
    const { done, own, other } = JSON.parse(printed) as Record<string, number | boolean>;
    expect(done).toBe(true);
    expect(own).toBe(Math.max(5, Number(other)));
    expect(own).toBeGreaterThan(Number(other));
  },
);
