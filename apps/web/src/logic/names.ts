/** Names without what every one of them has. */

/** "post-service.shop.svc.cluster.local:8080/*" → "post-service.shop:8080/*". */
export function shortHost(name: string): string {
  return name.replace(/\.svc\.cluster\.local\b/, "");
}

/**
 * Istio's proxies call a service "name.namespace". Where the first part alone tells all of them apart, it is enough.
 */
export function shortServices(services: readonly string[]): ReadonlyMap<string, string> {
  const first = (name: string) => name.split(".")[0] || name;
  const used = new Map<string, number>();
  for (const name of new Set(services)) used.set(first(name), (used.get(first(name)) ?? 0) + 1);
  return new Map(services.map((name) => [name, used.get(first(name)) === 1 ? first(name) : name]));
}

/** A clause as the beginning of a sentence. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
