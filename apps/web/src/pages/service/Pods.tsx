import { type ServiceDetail, webPaths } from "@skopos/api";
import type { ReactNode } from "react";
import { type Column, DataTable } from "../../parts/DataTable.tsx";
import { Go } from "../../parts/Go.tsx";
import { Empty } from "../../parts/States.tsx";
import { Ago, Value } from "../../parts/Value.tsx";

interface Pod {
  readonly name: string;
  readonly phase: string;
  readonly ready: boolean;
  readonly restarts: number;
  readonly startedAt: number | null;
  readonly cpuCores: number | null;
  readonly memoryBytes: number | null;
  readonly version: string;
}

const columns: readonly Column<Pod>[] = [
  {
    key: "name",
    title: "Pod",
    cell: ({ name }) => name,
    show: ({ name }) => <Go to={webPaths.logs(`{pod="${name}"}`)}>{name}</Go>,
  },
  {
    key: "ready",
    title: "State",
    cell: ({ ready, phase }) => (ready ? "ready" : phase),
    show: ({ ready, phase }) => (
      <span className={`state ${ready ? "healthy" : "degraded"}`}>
        {ready ? "✓ ready" : `▲ ${phase}`}
      </span>
    ),
  },
  { key: "restarts", title: "Restarts", numeric: true, cell: ({ restarts }) => restarts },
  {
    key: "cpu",
    title: "CPU",
    numeric: true,
    cell: ({ cpuCores }) => cpuCores,
    show: ({ cpuCores }) => <Value value={cpuCores} unit="cores" />,
  },
  {
    key: "memory",
    title: "Memory",
    numeric: true,
    cell: ({ memoryBytes }) => memoryBytes,
    show: ({ memoryBytes }) => <Value value={memoryBytes} unit="bytes" />,
  },
  { key: "version", title: "Version", minor: true, cell: ({ version }) => version },
  {
    key: "started",
    title: "Started",
    minor: true,
    numeric: true,
    cell: ({ startedAt }) => startedAt,
    show: ({ startedAt }) => <Ago at={startedAt} />,
  },
];

/** The pods behind a service, with what they spend now. */
export function Pods({ detail }: { readonly detail: ServiceDetail }): ReactNode {
  const pods = detail.workloads.flatMap(({ pods, version }) =>
    pods.map((pod): Pod => ({ ...pod, version })),
  );
  if (pods.length === 0)
    return (
      <Empty title="No pods known">
        <p>The cluster&apos;s API names no workload behind this service.</p>
      </Empty>
    );
  return (
    <DataTable label="Pods" rows={pods} rowKey={({ name }) => name} sort="name" columns={columns} />
  );
}
