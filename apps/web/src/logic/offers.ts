/** What the search-anything box offers for a text, best first. */
import { type SearchHit, webPaths } from "@skopos/api";

export interface Offer {
  readonly id: string;
  readonly name: string;
  readonly detail: string;
  readonly kind: string;
  readonly act:
    | { readonly type: "go"; readonly path: string }
    | { readonly type: "range"; readonly range: string }
    | { readonly type: "theme" }
    | { readonly type: "pause" }
    | { readonly type: "help" };
}

interface NamedPath {
  readonly path: string;
  readonly name: string;
}

const offersMax = 40;

const commands: readonly Offer[] = [
  {
    id: "c-pause",
    name: "Pause or resume live updates",
    detail: "",
    kind: "command",
    act: { type: "pause" },
  },
  {
    id: "c-theme",
    name: "Switch light, dark, as the system",
    detail: "",
    kind: "command",
    act: { type: "theme" },
  },
  { id: "c-help", name: "Show the keys", detail: "", kind: "command", act: { type: "help" } },
  ...["15m", "1h", "6h", "1d"].map((range): Offer => ({
    id: `c-range-${range}`,
    name: `Show the last ${range}`,
    detail: "",
    kind: "command",
    act: { type: "range", range },
  })),
];

/** All words occur in the name. */
export function matchesWords(name: string, text: string): boolean {
  const low = name.toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => low.includes(word));
}

function queryOffers(text: string): Offer[] {
  const asked = text.trim();
  if (asked === "") return [];
  const offer = (name: string, path: string): Offer => ({
    id: `q-${name}`,
    name,
    detail: asked,
    kind: "query",
    act: { type: "go", path },
  });
  if (/^[0-9a-f]{16}$|^[0-9a-f]{32}$/i.test(asked))
    return [offer("Open the trace", webPaths.trace(asked.toLowerCase()))];
  const offers: Offer[] = [];
  if (/^\{.*\}/.test(asked)) {
    offers.push(offer("Search logs", webPaths.logs(asked)));
    offers.push(offer("Search traces", webPaths.traces(asked)));
  }
  if (/[({[]|^[a-zA-Z_:][\w:]*$/.test(asked) && asked.length > 2)
    offers.push(offer("Run in Metrics", webPaths.metrics(asked)));
  if (!/^[{(]/.test(asked) && asked.length > 2)
    offers.push(
      offer("Find in logs", webPaths.logs(`{namespace=~".+"} |= ${JSON.stringify(asked)}`)),
    );
  return offers;
}

export function offersFor(
  text: string,
  places: readonly NamedPath[],
  hits: readonly SearchHit[],
): Offer[] {
  const asked = text.trim();
  const pages = places.map(({ path, name }): Offer => ({
    id: `p-${path}`,
    name,
    detail: "",
    kind: "page",
    act: { type: "go", path },
  }));
  const found = hits.map(({ entity, path, detail }): Offer => ({
    id: `h-${entity.kind}-${entity.id}`,
    name: entity.name,
    detail,
    kind: entity.objectKind ?? entity.kind,
    act: { type: "go", path },
  }));
  if (asked === "") return [...pages, ...commands].slice(0, offersMax);
  const exact = queryOffers(asked);
  const known = [...pages, ...commands].filter(({ name }) => matchesWords(name, asked));
  const isQuery = /[{}()[\]]|^[0-9a-f]{16,32}$/i.test(asked);
  return (isQuery ? [...exact, ...found, ...known] : [...found, ...known, ...exact]).slice(
    0,
    offersMax,
  );
}
