/** The places of the page and their addresses (see `webPaths` in the API). Each page is a chunk of its own. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from "@tanstack/react-router";
import { queryClient } from "./data/client.ts";
import { traceOutlineQuery } from "./data/queries.ts";
import { Frame } from "./frame/Frame.tsx";
import { Go } from "./parts/Go.tsx";
import { Empty, Refusal } from "./parts/States.tsx";

function Missing() {
  return (
    <div className="page">
      <Empty title="There is no such page">
        <p>The address may be mistyped, or come from a newer version.</p>
        <Go to="/">To Now</Go>
      </Empty>
    </div>
  );
}

const root = createRootRoute({ component: Frame, notFoundComponent: Missing });

const pages = [
  createRoute({
    getParentRoute: () => root,
    path: "/",
    component: lazyRouteComponent(() => import("./pages/now/Now.tsx"), "Now"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/incidents",
    component: lazyRouteComponent(() => import("./pages/incidents/Incidents.tsx"), "Incidents"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/incidents/$id",
    component: lazyRouteComponent(
      () => import("./pages/incidents/IncidentPage.tsx"),
      "IncidentPage",
    ),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/mesh",
    component: lazyRouteComponent(() => import("./pages/mesh/Mesh.tsx"), "Mesh"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/mesh/services/$namespace/$name",
    component: lazyRouteComponent(() => import("./pages/service/Service.tsx"), "Service"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/traces",
    component: lazyRouteComponent(() => import("./pages/traces/Traces.tsx"), "Traces"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/traces/compare",
    component: lazyRouteComponent(() => import("./pages/traces/Compare.tsx"), "Compare"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/traces/graph",
    component: lazyRouteComponent(() => import("./pages/traces/SpanGraph.tsx"), "SpanGraph"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/traces/services",
    component: lazyRouteComponent(() => import("./pages/traces/SpanServices.tsx"), "SpanServices"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/traces/$id",
    // The spans come while the page's code does.
    loader: ({ params }) => void queryClient.prefetchQuery(traceOutlineQuery(params.id)),
    component: lazyRouteComponent(() => import("./pages/traces/TracePage.tsx"), "TracePage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/logs",
    component: lazyRouteComponent(() => import("./pages/logs/Logs.tsx"), "Logs"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/changes",
    component: lazyRouteComponent(() => import("./pages/changes/Changes.tsx"), "Changes"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/query",
    component: lazyRouteComponent(() => import("./pages/metrics/Metrics.tsx"), "Metrics"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/targets",
    component: lazyRouteComponent(() => import("./pages/metrics/Targets.tsx"), "Targets"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/cardinality",
    component: lazyRouteComponent(() => import("./pages/metrics/Cardinality.tsx"), "Cardinality"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/alerts",
    component: lazyRouteComponent(() => import("./pages/alerts/Alerts.tsx"), "Alerts"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/rules",
    component: lazyRouteComponent(() => import("./pages/alerts/Rules.tsx"), "Rules"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/practice",
    component: lazyRouteComponent(() => import("./pages/practice/Practice.tsx"), "Practice"),
  }),
] as const;

/** Plain `?a=b&a=c`, as `URLSearchParams` reads it: links stay readable, and the server can write them. */
function parseSearch(text: string): Record<string, string | string[]> {
  const search = new URLSearchParams(text);
  const out: Record<string, string | string[]> = {};
  for (const key of new Set(search.keys())) {
    const values = search.getAll(key);
    out[key] = values.length === 1 ? (values[0] ?? "") : values;
  }
  return out;
}

function stringifySearch(search: Record<string, unknown>): string {
  const out = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    for (const one of Array.isArray(value) ? value : [value])
      if (typeof one === "string" || typeof one === "number") out.append(key, `${one}`);
  }
  const text = out.toString();
  return text ? `?${text}` : "";
}

export const router = createRouter({
  routeTree: root.addChildren([...pages]),
  parseSearch,
  stringifySearch,
  scrollRestoration: true,
  defaultErrorComponent: ({ error, reset }) => (
    <div className="page">
      <Refusal error={error} retry={reset} />
    </div>
  ),
});
