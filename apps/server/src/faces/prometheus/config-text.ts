/**
 * The scrape configuration as people may see it: every secret replaced, as Prometheus shows it, and behind the jobs of the
 * file those that the cluster asked for.
 */
import { isMap, isScalar, parseDocument, stringify, visit } from "yaml";

const secretKeys = new Set([
  "password",
  "credentials",
  "bearer_token",
  "client_secret",
  "secret_key",
  "api_key",
  "token",
]);
const userInfo = /^([a-z][a-z0-9+.-]*:\/\/[^/@:]*):[^/@]*@/i;

/** Headers of remote write and notifiers may carry tokens. */
const secretMaps = new Set(["headers", "http_headers"]);

interface Shown {
  scrape_configs?: { job_name?: string }[] | null;
}

/** `more`: whole configurations whose jobs are added. */
export function shownConfig(text: string, more: readonly string[] = []): string {
  const shown = withoutSecrets(text);
  const jobs = more.flatMap((each) => withoutSecrets(each)?.scrape_configs ?? []);
  if (jobs.length === 0) return stringify(shown, { lineWidth: 0 });
  const scrape_configs = [...(shown?.scrape_configs ?? []), ...jobs];
  return stringify({ ...shown, scrape_configs }, { lineWidth: 0 });
}

/** The part of one scrape pool; undefined when there is none of that name. */
export function shownPool(texts: readonly string[], name: string): string | undefined {
  for (const text of texts) {
    const jobs = withoutSecrets(text)?.scrape_configs ?? [];
    const found = jobs.find(({ job_name }) => job_name === name);
    if (found) return stringify(found, { lineWidth: 0 });
  }
  return undefined;
}

function withoutSecrets(text: string): Shown | null {
  const document = parseDocument(text);
  visit(document, {
    Pair(_, pair) {
      const key = isScalar(pair.key) ? String(pair.key.value) : "";
      if (secretKeys.has(key) && isScalar(pair.value) && pair.value.value !== null)
        pair.value.value = "<secret>";
      if (!isMap(pair.value)) return;
      for (const entry of pair.value.items) {
        const isSecret =
          secretMaps.has(key) || (key === "tls_config" && String(entry.key) === "key");
        if (isSecret && isScalar(entry.value)) entry.value.value = "<secret>";
      }
    },
    Scalar(_, node) {
      if (typeof node.value === "string") node.value = node.value.replace(userInfo, "$1:<secret>@");
    },
  });
  return document.toJS() as Shown | null;
}
