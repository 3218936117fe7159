import "../../styles/lists.css";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { type Target, targetsQuery } from "../../data/prometheus.ts";
import { useAddress } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { formatMs, plural } from "../../logic/numbers.ts";
import { type Column, DataTable } from "../../parts/DataTable.tsx";
import { Empty, Loaded, Skeleton } from "../../parts/States.tsx";
import { Ago } from "../../parts/Value.tsx";
import { Places } from "./Places.tsx";

const looks: Readonly<Record<Target["health"], readonly [string, string]>> = {
  down: ["failing", "◆ down"],
  unknown: ["unknown", "? not scraped yet"],
  up: ["healthy", "✓ up"],
};
const ranks = { down: 0, unknown: 1, up: 2 } as const;

function State({ health }: { readonly health: Target["health"] }): ReactNode {
  const [state, word] = looks[health];
  return <span className={`state ${state}`}>{word}</span>;
}

/** Never scraped is written as the year 1. */
const scrapedAt = ({ lastScrape }: Target) => Math.max(0, Date.parse(lastScrape));

const columns: Column<Target>[] = [
  {
    key: "state",
    title: "State",
    cell: ({ health }) => ranks[health],
    show: ({ health }) => <State health={health} />,
  },
  { key: "pool", title: "Job", cell: ({ scrapePool }) => scrapePool, minor: true },
  {
    key: "target",
    title: "Target",
    cell: ({ scrapeUrl }) => scrapeUrl,
    show: ({ scrapeUrl, labels }) => (
      <span className="wrap" title={JSON.stringify(labels, null, 2)}>
        {labels["pod"] && <span>{labels["pod"]} </span>}
        <span className="mono small quiet">{scrapeUrl}</span>
      </span>
    ),
  },
  {
    key: "why",
    title: "Why it is down",
    cell: ({ lastError }) => lastError,
  },
  {
    key: "last",
    title: "Last scrape",
    cell: scrapedAt,
    show: (target) => (scrapedAt(target) === 0 ? "–" : <Ago at={scrapedAt(target)} />),
    minor: true,
  },
  {
    key: "took",
    title: "Took",
    cell: ({ lastScrapeDuration }) => lastScrapeDuration,
    show: ({ lastScrapeDuration }) => formatMs(lastScrapeDuration * 1000),
    numeric: true,
    minor: true,
  },
];

/** Nobody needs an empty column. */
const withoutWhy = columns.filter(({ key }) => key !== "why");

function Found({ targets }: { readonly targets: readonly Target[] }): ReactNode {
  const { search, patch } = useAddress();
  const wanted = search.get("find") ?? "";
  const text = wanted.toLowerCase();
  const shown = targets.filter((target) =>
    `${target.scrapePool} ${target.scrapeUrl} ${target.health} ${target.lastError} ${Object.values(target.labels).join(" ")}`
      .toLowerCase()
      .includes(text),
  );
  const down = targets.filter(({ health }) => health === "down").length;
  return (
    <>
      <div className="row between">
        <p role="status">
          {plural(targets.length, "target")},{" "}
          {down === 0 ? "none is down" : <b className="state failing">◆ {down} down</b>}
        </p>
        <label className="labelled">
          Find
          <input
            className="field"
            value={wanted}
            placeholder="job, address, label, down"
            onChange={(event) => patch({ find: event.target.value || null }, "replace")}
          />
        </label>
      </div>
      {shown.length === 0 ? (
        <Empty title="No target matches" />
      ) : (
        <DataTable
          label="Targets"
          rows={shown}
          rowKey={({ scrapePool, scrapeUrl, labels }) =>
            `${scrapePool} ${scrapeUrl} ${labels["instance"] ?? ""}`
          }
          columns={shown.some(({ lastError }) => lastError !== "") ? columns : withoutWhy}
          sort="state"
        />
      )}
    </>
  );
}

export function Targets(): ReactNode {
  const asked = useQuery(targetsQuery);
  useTitle("Targets");
  return (
    <div className="page fill">
      <div className="page-head">
        <h1>Targets</h1>
        <Places />
      </div>
      <Loaded asked={asked} skeleton={<Skeleton rows={8} height={34} label="Loading targets" />}>
        {({ activeTargets, droppedTargetCounts }) => {
          const dropped = Object.values(droppedTargetCounts).reduce((sum, one) => sum + one, 0);
          if (activeTargets.length === 0)
            return (
              <Empty title="Nothing is scraped">
                <p>
                  No scrape configuration found a target.
                  {dropped > 0 &&
                    ` ${plural(dropped, "discovered target")} were dropped by relabelling.`}
                </p>
              </Empty>
            );
          return (
            <>
              <Found targets={activeTargets} />
              {dropped > 0 && (
                <p className="small quiet">
                  {plural(dropped, "discovered target")} dropped by relabelling.
                </p>
              )}
            </>
          );
        }}
      </Loaded>
    </div>
  );
}
