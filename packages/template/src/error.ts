import { SkoposError } from "@skopos/model";

/** A template that does not parse or cannot be executed. Code "bad-template". */
export class TemplateError extends SkoposError {
  constructor(message: string, options?: ErrorOptions) {
    super("bad-template", message, options);
  }
}

export function errorAt(line: number, reason: string): TemplateError {
  return new TemplateError(`template line ${line}: ${reason}`);
}
