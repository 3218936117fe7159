import type { ReactNode } from "react";
import { shortHost } from "../../logic/names.ts";

/** A service and what it did, as a cell of a table: one above the other, so that figures have room. */
export function OperationName({
  service,
  name,
}: {
  readonly service: string;
  readonly name: string;
}): ReactNode {
  return (
    <span className="operation-name" title={`${service} ${name}`}>
      <b>{service}</b>
      <span className="quiet">{shortHost(name)}</span>
    </span>
  );
}
