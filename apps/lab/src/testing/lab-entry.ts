import { startTestLab } from "./start-test-lab.ts";

/** A lab in a process of its own, for tests that kill it: prints the ids of the processes it has started. */
const lab = await startTestLab({ rps: 5 });
const pids = lab.processIds();
process.stdout.write(`${JSON.stringify(pids)}\n`);
