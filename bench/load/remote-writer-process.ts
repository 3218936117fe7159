/**
 * Sends a mesh's samples by remote write 1.0, about 2,000 to a request as Prometheus's own sender does, four requests at a
 * time, in a process of its own so that its work is nobody's figure. Arguments: series, URL. Prints "ready"; then for every
 * line on its input sends one round (every series once) and prints how many samples were taken and how many milliseconds
 * passed while it waited for answers.
 */
import { createInterface } from "node:readline";
import { MeshLoad } from "./mesh.ts";
import { RemoteWriteLoad, sendRemoteWrite } from "./remote-write.ts";
import { compressSnappy } from "./snappy.ts";

const perRequest = 2000;
const inFlight = 4;
const [series = "20000", url = ""] = process.argv.slice(2);
const load = new RemoteWriteLoad(new MeshLoad({ series: Number(series) }).targets);

async function send(step: number): Promise<number> {
  const bodies = [...load.requests(step, Date.now(), perRequest, compressSnappy)];
  const began = performance.now();
  const work = async () => {
    for (let body = bodies.shift(); body; body = bodies.shift()) await sendRemoteWrite(url, body);
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  return performance.now() - began;
}

console.log("ready");
let step = 1;
for await (const _ of createInterface({ input: process.stdin }))
  console.log(`${load.samplesPerStep} ${await send(step++)}`);
