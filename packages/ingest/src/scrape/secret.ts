/** Secrets of a configuration: inline or in a file, never in a log. */
import { readFileSync } from "node:fs";
import { messageOf } from "@skopos/model";
import { IngestError } from "../errors.ts";

/** A value that must not be logged. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "<secret>";
  }

  toJSON(): string {
    return "<secret>";
  }
}

/** The secret's text, read from its file where it has one. Throws "bad-config" without showing it. */
export function revealSecret(secret: Secret | { readonly file: string }): string {
  if (secret instanceof Secret) return secret.reveal();
  try {
    return readFileSync(secret.file, "utf8").trim();
  } catch (error) {
    throw new IngestError("bad-config", `cannot read ${secret.file}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
