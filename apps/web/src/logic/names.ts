/** Names without what every one of them has. */

/** "post-service.shop.svc.cluster.local:8080/*" → "post-service.shop:8080/*". */
export function shortHost(name: string): string {
  return name.replace(/\.svc\.cluster\.local\b/, "");
}
