import { useMediaQuery } from "@mantine/hooks";
import type { Graph } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";
import { graphQuery } from "../../data/queries.ts";
import { useAddress, useScope } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { foldGraph, groupNamespace } from "../../logic/fold.ts";
import { isTrouble, scopeGraph } from "../../logic/graph-look.ts";
import { plural } from "../../logic/numbers.ts";
import { matchesWords } from "../../logic/offers.ts";
import { Empty, Loaded, Skeleton, Warnings } from "../../parts/States.tsx";
import { Ago } from "../../parts/Value.tsx";
import { Canvas } from "./Canvas.tsx";
import type { Selection } from "./Drawing.tsx";
import { Lists } from "./Lists.tsx";
import { SidePanel } from "./SidePanel.tsx";

function namespaceOf(serviceId: string): string {
  return serviceId.split("/")[0] ?? "";
}

/** What the address narrows the graph to: namespace, words, trouble. */
function useShown(graph: Graph) {
  const { namespace } = useScope();
  const { search } = useAddress();
  const words = (search.get("q") ?? "").trim();
  const onlyTrouble = search.get("only") === "trouble";
  return useMemo(() => {
    const scoped = scopeGraph(graph.nodes, graph.edges, namespace);
    if (words === "" && !onlyTrouble) return scoped;
    const hit = new Set(
      scoped.nodes
        .filter(
          (node) =>
            (words === "" || matchesWords(node.id, words)) &&
            (!onlyTrouble || isTrouble(node.health.state)),
        )
        .map(({ id }) => id),
    );
    const edges = scoped.edges.filter(
      (edge) =>
        hit.has(edge.source) ||
        hit.has(edge.target) ||
        (onlyTrouble && isTrouble(edge.health.state)),
    );
    const shown = new Set([...hit, ...edges.flatMap(({ source, target }) => [source, target])]);
    return { nodes: scoped.nodes.filter(({ id }) => shown.has(id)), edges };
  }, [graph, namespace, words, onlyTrouble]);
}

function Tools({ graph, view }: { readonly graph: Graph; readonly view: string }): ReactNode {
  const { search, patch } = useAddress();
  const trouble = graph.nodes.filter(({ health }) => isTrouble(health.state)).length;
  const only = search.get("only") === "trouble";
  return (
    <div className="mesh-tools">
      <h1>Mesh</h1>
      <span className="quiet">
        {plural(graph.nodes.length, "service")}, {plural(graph.edges.length, "connection")},{" "}
        {trouble === 0 ? "none in trouble" : `${trouble} in trouble`} · <Ago at={graph.at} />
      </span>
      <span className="grow" />
      <input
        className="field"
        type="search"
        placeholder="Find a service"
        aria-label="Find a service in the graph"
        value={search.get("q") ?? ""}
        onChange={(event) => patch({ q: event.target.value }, "replace")}
      />
      <button
        type="button"
        className="button"
        aria-pressed={only}
        onClick={() => patch({ only: only ? null : "trouble" })}
      >
        Only trouble
      </button>
      <div className="segmented" role="group" aria-label="View">
        <button
          type="button"
          aria-pressed={view === "graph"}
          onClick={() => patch({ view: "graph" })}
        >
          Graph
        </button>
        <button
          type="button"
          aria-pressed={view === "list"}
          onClick={() => patch({ view: "list" })}
          aria-keyshortcuts="l"
        >
          List
        </button>
      </div>
    </div>
  );
}

function Body({ graph, view }: { readonly graph: Graph; readonly view: string }): ReactNode {
  const { search, patch } = useAddress();
  const shown = useShown(graph);
  const node = search.get("node");
  const edge = search.get("edge");
  const selection: Selection = { ...(node ? { node } : {}), ...(edge ? { edge } : {}) };
  const opened = search.getAll("open").join(" ");
  const folded = useMemo(() => {
    const keep = new Set(opened.split(" "));
    for (const id of [node, ...(edge?.split("->") ?? [])]) if (id) keep.add(namespaceOf(id));
    return foldGraph(shown.nodes, shown.edges, keep);
  }, [shown, opened, node, edge]);
  const select = (next: Selection) => {
    const group = next.node === undefined ? null : groupNamespace(next.node);
    if (group === null) patch({ node: next.node ?? null, edge: next.edge ?? null });
    else patch({ open: [...search.getAll("open"), group] });
  };
  const chosen = node !== null || edge !== null;
  if (shown.nodes.length === 0)
    return (
      <div className="page">
        <Empty title={graph.nodes.length === 0 ? "No mesh to see yet" : "Nothing matches"}>
          <p>
            {graph.nodes.length === 0
              ? "No service has reported traffic in this window. After a start this takes a minute."
              : "No service here fits the namespace, the words or the trouble asked for."}
          </p>
          {graph.nodes.length > 0 && (
            <button
              type="button"
              className="button"
              onClick={() => patch({ q: null, only: null, ns: null })}
            >
              Show everything
            </button>
          )}
        </Empty>
      </div>
    );
  return (
    <div className={chosen ? "mesh-body with-panel" : "mesh-body"}>
      {view === "list" ? (
        <Lists nodes={shown.nodes} edges={shown.edges} />
      ) : (
        <Canvas nodes={folded.nodes} edges={folded.edges} selection={selection} select={select} />
      )}
      {chosen && <SidePanel graph={graph} selection={selection} select={select} />}
    </div>
  );
}

export function Mesh(): ReactNode {
  const { time } = useScope();
  const { search } = useAddress();
  const phone = useMediaQuery("(max-width: 760px)", undefined, {
    getInitialValueInEffect: false,
  });
  const asked = useQuery(graphQuery(time));
  const view = search.get("view") ?? (phone ? "list" : "graph");
  useTitle("Mesh");
  return (
    <Loaded
      asked={asked}
      skeleton={
        <div className="page">
          <Skeleton rows={1} height={480} label="Loading the mesh" />
        </div>
      }
    >
      {(graph) => (
        <div className="mesh-page">
          <Tools graph={graph} view={view} />
          <Warnings warnings={graph.warnings} />
          <Body graph={graph} view={view} />
        </div>
      )}
    </Loaded>
  );
}
