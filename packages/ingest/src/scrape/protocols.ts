/**
 * Formats of a page, by the names that `scrape_protocols` gives them. Prometheus's protobuf is not read here: what asks for it
 * gets the next format of its list. Source: Prometheus configuration, `scrape_protocols`, `fallback_scrape_protocol`.
 */

export const scrapeProtocols = [
  "PrometheusProto",
  "OpenMetricsText1.0.0",
  "OpenMetricsText0.0.1",
  "PrometheusText1.0.0",
  "PrometheusText0.0.4",
] as const;
export type ScrapeProtocol = (typeof scrapeProtocols)[number];

const mediaTypes: Readonly<Record<ScrapeProtocol, string>> = {
  PrometheusProto: "",
  "OpenMetricsText1.0.0": "application/openmetrics-text;version=1.0.0",
  "OpenMetricsText0.0.1": "application/openmetrics-text;version=0.0.1",
  "PrometheusText1.0.0": "text/plain;version=1.0.0",
  "PrometheusText0.0.4": "text/plain;version=0.0.4",
};

export const protocolDefaults: readonly ScrapeProtocol[] = [
  "OpenMetricsText1.0.0",
  "OpenMetricsText0.0.1",
  "PrometheusText1.0.0",
  "PrometheusText0.0.4",
];

/** The `Accept` header: earlier formats first. */
export function acceptOf(protocols: readonly ScrapeProtocol[]): string {
  const wanted = protocols.map((each) => mediaTypes[each]).filter((type) => type !== "");
  const types = wanted.length > 0 ? wanted : protocolDefaults.map((each) => mediaTypes[each]);
  const weighed = types.map((type, i) => `${type};q=0.${types.length + 1 - i}`);
  return [...weighed, "*/*;q=0.1"].join(",");
}

const readable = /^(?:text\/plain|application\/openmetrics-text)\s*(?:;|$)/i;

/** The media type to read a page by: the fallback's where the target names none that we know. */
export function mediaTypeOr(
  contentType: string | undefined,
  fallback: ScrapeProtocol | undefined,
): string | undefined {
  if (fallback === undefined || readable.test(contentType ?? "")) return contentType;
  return mediaTypes[fallback] || contentType;
}
