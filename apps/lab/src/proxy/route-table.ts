/** Finds the route of a request: virtual host by authority (exact, then longest "*.suffix", then "*"), then first match. */
import { headerOf, type Headers } from "../http/message.ts";
import type { RouteConfig, RouteMatch, StringMatch, VirtualHostConfig } from "./config.ts";

export interface RoutedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
}

interface CompiledRoute {
  readonly config: RouteConfig;
  readonly matches: readonly ((request: RoutedRequest) => boolean)[];
}

interface CompiledHost {
  readonly config: VirtualHostConfig;
  readonly routes: readonly CompiledRoute[];
}

export class RouteTable {
  readonly #exact = new Map<string, CompiledHost>();
  readonly #suffixes: [string, CompiledHost][] = [];
  #any: CompiledHost | undefined;

  constructor(hosts: readonly VirtualHostConfig[]) {
    for (const config of hosts) {
      const routes = config.routes.map((route) => ({
        config: route,
        matches: route.matches.map(compileMatch),
      }));
      const host = { config, routes };
      for (const domain of config.domains) {
        if (domain === "*") this.#any ??= host;
        else if (domain.startsWith("*")) this.#suffixes.push([domain.slice(1), host]);
        else if (!this.#exact.has(domain)) this.#exact.set(domain, host);
      }
    }
    this.#suffixes.sort((a, b) => b[0].length - a[0].length);
  }

  /** Undefined: no virtual host has that authority. A host without a matching route has `route` undefined. */
  find(
    authority: string,
    request: RoutedRequest,
  ): { host: VirtualHostConfig; route: RouteConfig | undefined } | undefined {
    const key = withPort(authority.toLowerCase());
    const host =
      this.#exact.get(key) ??
      this.#suffixes.find(([suffix]) => key.endsWith(suffix))?.[1] ??
      this.#any;
    if (host === undefined) return undefined;
    const route = host.routes.find(
      ({ matches }) => matches.length === 0 || matches.some((matches) => matches(request)),
    );
    return { host: host.config, route: route?.config };
  }
}

export function withPort(authority: string): string {
  return /:\d+$/.test(authority) ? authority : `${authority}:80`;
}

function compileMatch(match: RouteMatch): (request: RoutedRequest) => boolean {
  const path = match.path && compileString(match.path);
  const method = match.method && compileString(match.method);
  const present = match.headers.map(({ name, match }) => ({ name, test: compileString(match) }));
  const absent = match.withoutHeaders.map(({ name, match }) => ({
    name,
    test: compileString(match),
  }));
  return (request) =>
    (path === undefined || path(request.path.split("?", 1)[0])) &&
    (method === undefined || method(request.method)) &&
    present.every(({ name, test }) => test(headerOf(request.headers, name))) &&
    !absent.some(({ name, test }) => test(headerOf(request.headers, name)));
}

function compileString(match: StringMatch): (value: string | undefined) => boolean {
  switch (match.kind) {
    case "exact":
      return (value) => value === match.value;
    case "prefix":
      return (value) => value?.startsWith(match.value) === true;
    case "present":
      return (value) => value !== undefined;
    case "regex": {
      const pattern = new RegExp(`^(?:${match.value})$`);
      return (value) => value !== undefined && pattern.test(value);
    }
  }
}
