import "../../styles/lists.css";
import { webPaths } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { type Cardinality as Counts, cardinalityQuery } from "../../data/prometheus.ts";
import { useTitle } from "../../frame/use-title.ts";
import { dropLabelRule, dropMetricRule, dropPairRule, mayDrop } from "../../logic/drop-rule.ts";
import { formatBytes, formatCount, formatRatio } from "../../logic/numbers.ts";
import { Go } from "../../parts/Go.tsx";
import { Loaded, Skeleton } from "../../parts/States.tsx";
import { Places } from "./Places.tsx";

interface Row {
  readonly name: string;
  readonly value: number;
}

function CopyRule({ rule }: { readonly rule: string }): ReactNode {
  const [says, setSays] = useState("Copy the rule");
  return (
    <details className="small">
      <summary>Drop it</summary>
      <pre className="mono small">{rule}</pre>
      <button
        type="button"
        className="button small"
        onClick={() => {
          navigator.clipboard.writeText(rule).then(
            () => setSays("Copied"),
            () => setSays("The browser refused to copy"),
          );
        }}
      >
        {says}
      </button>
    </details>
  );
}

function Ranking({
  title,
  hint,
  rows,
  total,
  write,
  link,
  rule,
}: {
  readonly title: string;
  readonly hint: string;
  readonly rows: readonly Row[];
  /** What the rows are a share of; absent where shares say nothing. */
  readonly total?: number;
  readonly write: (value: number) => string;
  readonly link?: (name: string) => string;
  /** Undefined where dropping would break something. */
  readonly rule: (name: string) => string | undefined;
}): ReactNode {
  const most = Math.max(1, ...rows.map(({ value }) => value));
  return (
    <section className="panel stack tight">
      <h2>{title}</h2>
      <p className="small quiet">{hint}</p>
      <ol className="ranking">
        {rows.map(({ name, value }) => {
          const text = rule(name);
          return (
            <li key={name}>
              <span className="mono small wrap">
                {link ? <Go to={link(name)}>{name}</Go> : name}
              </span>
              <span className="track" aria-hidden="true">
                <i style={{ width: `${(value / most) * 100}%` }} />
              </span>
              <span className="num" title={`${value}`}>
                {write(value)}
                {total !== undefined && total > 0 && (
                  <span className="quiet small"> {formatRatio(value / total)}</span>
                )}
              </span>
              {text === undefined ? <span /> : <CopyRule rule={text} />}
            </li>
          );
        })}
      </ol>
    </section>
  );
}

const selectorOf = (pair: string) => {
  const at = pair.indexOf("=");
  return `{${pair.slice(0, at)}=${JSON.stringify(pair.slice(at + 1))}}`;
};
const isName = (pair: string) => pair.startsWith("__name__=");

function Body({ counts }: { readonly counts: Counts }): ReactNode {
  const { numSeries, numLabelPairs } = counts.headStats;
  return (
    <>
      <p role="status">
        <b>{formatCount(numSeries)}</b> active series, {formatCount(numLabelPairs)} different label
        pairs.
      </p>
      <div className="rankings">
        <Ranking
          title="Labels that take the most memory"
          hint="What a label's values cost in all. Dropping one that tells series apart makes them collide: look before you drop."
          rows={counts.memoryInBytesByLabelName}
          write={formatBytes}
          rule={(name) => (mayDrop(name) ? dropLabelRule(name) : undefined)}
        />
        <Ranking
          title="Labels with the most values"
          hint="A label whose values grow without end (ids, paths, addresses) makes series without end."
          rows={counts.labelValueCountByLabelName}
          write={formatCount}
          rule={(name) => (mayDrop(name) ? dropLabelRule(name) : undefined)}
        />
        <Ranking
          title="Metrics with the most series"
          hint="A histogram has a series for each bucket."
          rows={counts.seriesCountByMetricName}
          total={numSeries}
          write={formatCount}
          link={(name) => webPaths.metrics(`count(${name})`)}
          rule={dropMetricRule}
        />
        <Ranking
          title="Label values with the most series"
          hint="Which job, namespace or workload the series come from."
          rows={counts.seriesCountByLabelValuePair.filter(({ name }) => !isName(name))}
          total={numSeries}
          write={formatCount}
          link={(pair) => webPaths.metrics(`count by (__name__) (${selectorOf(pair)})`)}
          rule={dropPairRule}
        />
      </div>
    </>
  );
}

export function Cardinality(): ReactNode {
  const asked = useQuery(cardinalityQuery);
  useTitle("Cardinality");
  return (
    <div className="page fill">
      <div className="page-head">
        <h1>Cardinality</h1>
        <Places />
      </div>
      <Loaded asked={asked} skeleton={<Skeleton rows={8} height={30} label="Counting series" />}>
        {(counts) => <Body counts={counts} />}
      </Loaded>
    </div>
  );
}
