/** The scrape configuration as people may see it: every secret replaced, as Prometheus shows it. */
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

export function shownConfig(text: string): string {
  const document = parseDocument(text);
  visit(document, {
    Pair(_, pair) {
      const key = isScalar(pair.key) ? String(pair.key.value) : "";
      if (secretKeys.has(key) && isScalar(pair.value) && pair.value.value !== null)
        pair.value.value = "<secret>";
      if (secretMaps.has(key) && isMap(pair.value))
        for (const entry of pair.value.items)
          if (isScalar(entry.value)) entry.value.value = "<secret>";
    },
    Scalar(_, node) {
      if (typeof node.value === "string") node.value = node.value.replace(userInfo, "$1:<secret>@");
    },
  });
  document.commentBefore = null;
  return stringify(document.toJS(), { lineWidth: 0 });
}

/** The part of one scrape pool; undefined when there is none of that name. */
export function shownPool(text: string, name: string): string | undefined {
  const config = parseDocument(shownConfig(text)).toJS() as {
    scrape_configs?: { job_name?: string }[];
  } | null;
  const found = config?.scrape_configs?.find(({ job_name }) => job_name === name);
  return found && stringify(found, { lineWidth: 0 });
}
