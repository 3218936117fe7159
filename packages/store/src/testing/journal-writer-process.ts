/**
 * A process that appends numbered frames to the journal in argv[2] and says each acknowledged number on stdout, until it
 * is killed. With "lock" as argv[3] it takes the directory's lock instead and holds it.
 */
import { systemClock } from "@skopos/model";
import { lockDataDirectory } from "../journal/data-directory-lock.ts";
import { frameKinds } from "../journal/frame.ts";
import { Journal } from "../journal/journal.ts";

const [dir = "", task] = process.argv.slice(2);

if (task === "lock") {
  await lockDataDirectory(dir);
  process.stdout.write("locked\n");
  systemClock.after(60_000, () => process.exit(1));
} else {
  const journal = await Journal.open({
    dir,
    clock: systemClock,
    segmentBytesMax: 64 * 1024,
    bytesMax: 1e9,
    fsyncMs: 1,
  });
  for (let number = 0; number < 1_000_000; number++) {
    const payload = Buffer.from(`${number} ${"x".repeat((number * 37) % 3000)}`);
    const position = journal.append(frameKinds.logs, payload);
    const acknowledged = journal.flushed(position).then(() => process.stdout.write(`${number}\n`));
    if (number % 8 === 7) await acknowledged;
  }
}
