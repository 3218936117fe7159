import { SkoposError } from "@skopos/model";
import type { JsonObject } from "./json.ts";

/**
 * Refusals in the form of the Kubernetes API: `metav1.Status` with the messages, reasons and causes of apimachinery's
 * `api/errors` and `validation/field`, since clients print and parse them.
 */
export type StatusCause = { reason: string; message: string; field: string };

export type StatusDetails = {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
};

export class StatusError extends SkoposError {
  readonly httpStatus: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;

  constructor(httpStatus: number, reason: string, message: string, details?: StatusDetails) {
    super(`kube-${reason.toLowerCase()}`, message);
    this.httpStatus = httpStatus;
    this.reason = reason;
    this.details = details;
  }

  toStatus(): JsonObject {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: this.message,
      reason: this.reason,
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.httpStatus,
    };
  }
}

/** What an error names: the resource for most, the kind for `Invalid`. */
export type Subject = { group: string; plural: string; kind: string };

function qualified(name: string, group: string): string {
  return group === "" ? name : `${name}.${group}`;
}

function detailsOf(subject: Subject, name: string): StatusDetails {
  return {
    name,
    ...(subject.group === "" ? {} : { group: subject.group }),
    kind: subject.plural,
  };
}

export function notFound(subject: Subject, name: string): StatusError {
  const message = `${qualified(subject.plural, subject.group)} "${name}" not found`;
  return new StatusError(404, "NotFound", message, detailsOf(subject, name));
}

export function alreadyExists(subject: Subject, name: string): StatusError {
  const message = `${qualified(subject.plural, subject.group)} "${name}" already exists`;
  return new StatusError(409, "AlreadyExists", message, detailsOf(subject, name));
}

export function conflict(
  subject: Subject,
  name: string,
  why = "the object has been modified; please apply your changes to the latest version and try again",
): StatusError {
  const message = `Operation cannot be fulfilled on ${qualified(subject.plural, subject.group)} "${name}": ${why}`;
  return new StatusError(409, "Conflict", message, detailsOf(subject, name));
}

export function forbidden(
  subject: Subject,
  name: string,
  why: string,
  causes?: StatusCause[],
): StatusError {
  const message = `${qualified(subject.plural, subject.group)} "${name}" is forbidden: ${why}`;
  const details = { ...detailsOf(subject, name), ...(causes === undefined ? {} : { causes }) };
  return new StatusError(403, "Forbidden", message, details);
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, "BadRequest", message);
}

export function expired(message: string): StatusError {
  return new StatusError(410, "Expired", message);
}

export function noSuchPath(): StatusError {
  return new StatusError(404, "NotFound", "the server could not find the requested resource", {});
}

export function methodNotAllowed(): StatusError {
  const message = "the server does not allow this method on the requested resource";
  return new StatusError(405, "MethodNotAllowed", message, {});
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`;
  return new StatusError(415, "UnsupportedMediaType", message);
}

/** One finding of validation. `message` already says its sort ("Required value", "Invalid value: 3: must …"). */
export type FieldError = { reason: string; message: string; field: string };

export function required(field: string, detail = ""): FieldError {
  const message = detail === "" ? "Required value" : `Required value: ${detail}`;
  return { reason: "FieldValueRequired", message, field };
}

export function invalidValue(field: string, value: unknown, detail: string): FieldError {
  return {
    reason: "FieldValueInvalid",
    message: `Invalid value: ${JSON.stringify(value)}: ${detail}`,
    field,
  };
}

export function notSupported(field: string, value: unknown, known: readonly string[]): FieldError {
  const list = known.map((each) => JSON.stringify(each)).join(", ");
  return {
    reason: "FieldValueNotSupported",
    message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`,
    field,
  };
}

export function duplicateValue(field: string, value: unknown): FieldError {
  return {
    reason: "FieldValueDuplicate",
    message: `Duplicate value: ${JSON.stringify(value)}`,
    field,
  };
}

export function forbiddenField(field: string, detail: string): FieldError {
  return { reason: "FieldValueForbidden", message: `Forbidden: ${detail}`, field };
}

export function invalid(
  subject: Subject,
  name: string,
  errors: readonly FieldError[],
): StatusError {
  const lines = [...new Set(errors.map((error) => `${error.field}: ${error.message}`))];
  const text = lines.length === 1 ? lines[0] : `[${lines.join(", ")}]`;
  const message = `${qualified(subject.kind, subject.group)} "${name}" is invalid: ${text}`;
  return new StatusError(422, "Invalid", message, {
    name,
    ...(subject.group === "" ? {} : { group: subject.group }),
    kind: subject.kind,
    causes: errors.map(({ reason, message, field }) => ({ reason, message, field })),
  });
}
