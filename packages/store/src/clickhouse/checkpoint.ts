/**
 * The carrier's checkpoint: a small JSON file, replaced as a whole. Everything below `done` is in ClickHouse;
 * the batch from there to `intent` may be. The intent is on disk before the batch is sent, so that after a crash the very same batch is sent again and
 * ClickHouse recognises it.
 */
import { SkoposError } from "@skopos/model";
import { readWholeFile, replaceFile } from "../journal/whole-file.ts";

export interface Checkpoint {
  /** Of the journal that the positions belong to. */
  readonly identity: number;
  readonly done: number;
  readonly intent: number;
}

export async function readCheckpoint(file: string): Promise<Checkpoint | undefined> {
  const text = await readWholeFile(file);
  if (text === undefined) return undefined;
  const json: unknown = JSON.parse(text);
  if (typeof json === "object" && json !== null && "identity" in json && "done" in json) {
    const { identity, done } = json;
    const intent = "intent" in json ? json.intent : undefined;
    if (typeof identity === "number" && typeof done === "number" && typeof intent === "number")
      return { identity, done, intent };
  }
  throw new SkoposError(
    "bad-checkpoint",
    `${file} is not a checkpoint; delete it to carry everything that the journal keeps once more`,
  );
}

export async function writeCheckpoint(file: string, checkpoint: Checkpoint): Promise<void> {
  await replaceFile(file, `${JSON.stringify(checkpoint)}\n`);
}
