/** Search-anything: services, incidents, traces by id, pages. Ranked by how the name matches. */
import { type GraphNode, type IncidentSummary, type SearchHit, webPaths } from "@skopos/api";

const hitsMax = 20;

const pages = [
  "incidents",
  "mesh",
  "traces",
  "logs",
  "metrics",
  "alerts",
  "changes",
  "practice",
] as const;

interface Ranked {
  readonly rank: number;
  readonly hit: SearchHit;
}

/** 0 equal, 1 begins with, 2 contains; undefined: no match. */
function rankOf(text: string, query: string): number | undefined {
  const name = text.toLowerCase();
  if (name === query) return 0;
  if (name.startsWith(query)) return 1;
  return name.includes(query) ? 2 : undefined;
}

export function searchHits(
  text: string,
  nodes: readonly GraphNode[],
  incidents: readonly IncidentSummary[],
): SearchHit[] {
  const query = text.trim().toLowerCase();
  if (query === "") return [];
  const found: Ranked[] = [];
  const add = (rank: number | undefined, hit: SearchHit) => {
    if (rank !== undefined) found.push({ rank, hit });
  };
  if (/^[0-9a-f]{16,32}$/.test(query)) {
    add(0, {
      entity: { kind: "trace", id: query, name: query },
      path: webPaths.trace(query),
      detail: "trace by id",
    });
  }
  for (const node of nodes) {
    const { id, name, namespace } = node;
    add(rankOf(name, query) ?? rankOf(id, query), {
      entity: { kind: "service", id, name, namespace },
      path: webPaths.service(id),
      detail: `service in ${namespace}, ${node.health.state}`,
    });
  }
  for (const incident of incidents) {
    add(rankOf(incident.id, query) ?? rankOf(incident.title, query), {
      entity: { kind: "incident", id: incident.id, name: incident.title },
      path: webPaths.incident(incident.id),
      detail: `incident, ${incident.state}`,
    });
  }
  for (const page of pages) {
    add(rankOf(page, query), {
      entity: { kind: "rule", id: page, name: page },
      path: webPaths[page](),
      detail: "page",
    });
  }
  return found
    .sort((a, b) => a.rank - b.rank)
    .slice(0, hitsMax)
    .map(({ hit }) => hit);
}
