/** Queries that show a service, or a connection, in the other signals. */
import type { GraphNode } from "@skopos/api";

type Named = Pick<GraphNode, "name" | "namespace">;

export interface ServiceQueries {
  readonly requests: string;
  readonly traces: string;
  readonly failing: string;
  readonly logs: string;
}

export function serviceQueries(callee: Named, caller?: Named): ServiceQueries {
  const matchers = [
    // The callee's proxy cannot see requests that never reached it; the caller's can.
    'reporter="source"',
    `destination_canonical_service="${callee.name}"`,
    `destination_workload_namespace="${callee.namespace}"`,
    ...(caller
      ? [
          `source_canonical_service="${caller.name}"`,
          `source_workload_namespace="${caller.namespace}"`,
        ]
      : []),
  ].join(", ");
  // Istio's proxies call themselves name.namespace, an application's own SDK often just name.
  const names = `${callee.name}|${callee.name}[.]${callee.namespace}`;
  const service = `resource.service.name =~ "${names}"`;
  return {
    requests: `sum by (response_code, response_flags) (rate(istio_requests_total{${matchers}}[1m]))`,
    traces: `{ ${service} }`,
    failing: `{ ${service} && status = error }`,
    logs: `{namespace="${callee.namespace}", app="${callee.name}"}`,
  };
}
