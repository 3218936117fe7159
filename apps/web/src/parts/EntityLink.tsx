import { type EntityRef, entityPath, type GraphNode } from "@skopos/api";
import { HoverCard } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { graphQuery } from "../data/queries.ts";
import { useScope } from "../frame/address.ts";
import { Go } from "./Go.tsx";
import { StateMark } from "./StateMark.tsx";
import { Value } from "./Value.tsx";

export function nodeRef(node: GraphNode): EntityRef {
  return { kind: "service", id: node.id, name: node.name, namespace: node.namespace };
}

function Card({ entity }: { readonly entity: EntityRef }): ReactNode {
  const { time } = useScope();
  const { data } = useQuery(graphQuery(time));
  const node = data?.nodes.find(({ id }) => id === entity.id);
  if (!node) return <p className="quiet">{entity.namespace ?? entity.kind}: no traffic seen now</p>;
  return (
    <div className="stack tight">
      <div className="row between">
        <span className="strong">{node.name}</span>
        <StateMark health={node.health} />
      </div>
      {node.health.reasons.map((reason) => (
        <p key={reason}>{reason}</p>
      ))}
      <p className="quiet">
        <Value value={node.traffic.requestsPerSecond} unit="per-second" /> · errors{" "}
        <Value value={node.traffic.errorRatio} unit="ratio" /> · p95{" "}
        <Value value={node.traffic.p95Ms} unit="ms" />
      </p>
      <p className="quiet">{node.namespace}</p>
    </div>
  );
}

const live = new Set(["service", "workload", "node"]);

/** The name of a thing is a link to it; a service tells its state on hover. */
export function EntityLink({
  entity,
  className,
}: {
  readonly entity: EntityRef;
  readonly className?: string;
}): ReactNode {
  const [opened, setOpened] = useState(false);
  const link = (
    <Go to={entityPath(entity)} {...(className ? { className } : {})}>
      {entity.name}
    </Go>
  );
  if (!live.has(entity.kind)) return link;
  return (
    <HoverCard
      openDelay={350}
      withinPortal
      shadow="none"
      transitionProps={{ duration: 0 }}
      onOpen={() => setOpened(true)}
      onClose={() => setOpened(false)}
    >
      <HoverCard.Target>{link}</HoverCard.Target>
      <HoverCard.Dropdown className="hover-card">
        {opened && <Card entity={entity} />}
      </HoverCard.Dropdown>
    </HoverCard>
  );
}
