/**
 * Traffic of a made-up shop on Istio, as its telemetry shows it: for every call the caller's own span, both proxies' spans
 * and the called service's span, with the attributes that Envoy writes, and an access-log line of each proxy in Istio's
 * text format. Modelled, not recorded: names, sizes and latencies are drawn from a seeded generator, so that ids are as
 * random, and everything else as repetitive, as in a real mesh.
 */
import type { Attributes, Span, SpanKind } from "@skopos/model";

interface Service {
  readonly name: string;
  readonly port: number;
  readonly ownMs: number;
  readonly calls: readonly { readonly to: string; readonly path: string; readonly share: number }[];
}

const services: readonly Service[] = [
  { name: "ingressgateway", port: 8080, ownMs: 0.3, calls: [] },
  {
    name: "frontend",
    port: 8080,
    ownMs: 4,
    calls: [
      { to: "catalog", path: "/products", share: 0.8 },
      { to: "currency", path: "/convert", share: 0.9 },
      { to: "cart", path: "/cart", share: 0.7 },
      { to: "recommendation", path: "/recommendations", share: 0.4 },
      { to: "ads", path: "/ads", share: 0.5 },
      { to: "checkout", path: "/checkout", share: 0.08 },
    ],
  },
  { name: "catalog", port: 3550, ownMs: 2, calls: [] },
  { name: "currency", port: 7000, ownMs: 1, calls: [] },
  {
    name: "cart",
    port: 7070,
    ownMs: 1.5,
    calls: [{ to: "redis", path: "/get", share: 1 }],
  },
  { name: "redis", port: 6379, ownMs: 0.4, calls: [] },
  {
    name: "recommendation",
    port: 8080,
    ownMs: 5,
    calls: [{ to: "catalog", path: "/products", share: 1 }],
  },
  { name: "ads", port: 9555, ownMs: 3, calls: [] },
  {
    name: "checkout",
    port: 5050,
    ownMs: 6,
    calls: [
      { to: "cart", path: "/cart", share: 1 },
      { to: "payment", path: "/charge", share: 1 },
      { to: "shipping", path: "/ship", share: 1 },
      { to: "email", path: "/confirm", share: 0.9 },
    ],
  },
  { name: "payment", port: 50051, ownMs: 8, calls: [] },
  { name: "shipping", port: 50051, ownMs: 3, calls: [] },
  { name: "email", port: 5000, ownMs: 10, calls: [] },
];

const replicas = 3;
const entryPaths = ["/", "/product/", "/cart", "/setCurrency", "/checkout"] as const;
const agents = [
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)",
  "curl/8.9.1",
  "okhttp/4.12.0",
];

/** xorshift128, the generator of one bench. */
export class Draw {
  #a: number;
  #b = 0x9e3779b9;
  #c = 0x243f6a88;
  #d = 0xb7e15162;

  constructor(seed: number) {
    this.#a = seed | 1;
    for (let i = 0; i < 16; i++) this.word();
  }

  /** 32 random bits. */
  word(): number {
    let t = this.#d;
    const s = this.#a;
    this.#d = this.#c;
    this.#c = this.#b;
    this.#b = s;
    t ^= t << 11;
    t ^= t >>> 8;
    this.#a = (t ^ s ^ (s >>> 19)) | 0;
    return this.#a >>> 0;
  }

  unit(): number {
    return this.word() / 2 ** 32;
  }

  below(count: number): number {
    return Math.floor(this.unit() * count);
  }

  hex(words: number): string {
    let text = "";
    for (let i = 0; i < words; i++) text += this.word().toString(16).padStart(8, "0");
    return text;
  }

  uuid(): string {
    const text = this.hex(4);
    return `${text.slice(0, 8)}-${text.slice(8, 12)}-4${text.slice(13, 16)}-a${text.slice(17, 20)}-${text.slice(20)}`;
  }

  /** A latency around `typicalMs`, with a long tail. */
  latencyMs(typicalMs: number): number {
    const normal = Math.sqrt(-2 * Math.log(1 - this.unit())) * Math.cos(2 * Math.PI * this.unit());
    return typicalMs * Math.exp(0.5 * normal) * (this.below(200) === 0 ? 20 : 1);
  }
}

export interface Workload {
  readonly name: string;
  readonly pod: string;
  readonly ip: string;
  readonly port: number;
  readonly resource: Attributes;
  readonly proxyResource: Attributes;
}

/** One proxy's view of one request. */
export interface Exchange {
  readonly at: Workload;
  readonly inbound: boolean;
  readonly startNs: bigint;
  readonly durationMs: number;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly flags: string;
  readonly requestId: string;
  readonly authority: string;
  readonly agent: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly upstream: string;
  readonly cluster: string;
  readonly local: string;
  readonly remote: string;
}

interface Call {
  readonly from: Workload;
  readonly to: Service;
  readonly path: string;
  readonly parentSpanId: string;
  readonly startNs: bigint;
}

function workload(service: Service, replica: number, draw: Draw): Workload {
  const pod = `${service.name}-${draw.hex(1).slice(0, 8)}-${draw.hex(1).slice(0, 5)}`;
  const ip = `10.244.${replica + 1}.${10 + draw.below(200)}`;
  const kubernetes = {
    "k8s.namespace.name": "shop",
    "k8s.pod.name": pod,
    "k8s.node.name": `node-${replica}`,
  };
  return {
    name: service.name,
    pod,
    ip,
    port: service.port,
    resource: {
      "service.name": service.name,
      "service.version": "1.4.2",
      "telemetry.sdk.language": "go",
      "telemetry.sdk.version": "1.31.0",
      ...kubernetes,
    },
    proxyResource: { "service.name": service.name, ...kubernetes },
  };
}

export class MeshTraffic {
  readonly draw: Draw;
  readonly #workloads = new Map<string, Workload[]>();
  #spans: Span[] = [];
  #exchanges: Exchange[] = [];
  #traceId = "";
  #requestId = "";
  #agent = "";
  #failing = "";

  constructor(seed: number) {
    this.draw = new Draw(seed);
    for (const service of services)
      this.#workloads.set(
        service.name,
        Array.from({ length: replicas }, (_, i) => workload(service, i, this.draw)),
      );
  }

  workloads(): Workload[] {
    return [...this.#workloads.values()].flat();
  }

  /** One request from outside and all that it causes: the spans, and what every proxy logs. */
  request(startNs: bigint): { spans: Span[]; exchanges: Exchange[] } {
    const { draw } = this;
    this.#spans = [];
    this.#exchanges = [];
    this.#traceId = draw.hex(4);
    this.#requestId = draw.uuid();
    this.#agent = agents[draw.below(agents.length)] ?? "";
    this.#failing = draw.below(100) === 0 ? (services[1 + draw.below(11)]?.name ?? "") : "";
    const entry = entryPaths[draw.below(entryPaths.length)] ?? "/";
    const path = entry === "/product/" ? `/product/${draw.hex(1).toUpperCase()}` : entry;
    const frontend = services[1];
    const gateway = this.#pick("ingressgateway");
    if (frontend) this.#call({ from: gateway, to: frontend, path, parentSpanId: "", startNs });
    return { spans: this.#spans, exchanges: this.#exchanges };
  }

  #pick(name: string): Workload {
    const all = this.#workloads.get(name) ?? [];
    const found = all[this.draw.below(all.length)];
    if (!found) throw new Error(`no workload ${name}`);
    return found;
  }

  /** Both proxies and the called service; returns when the caller has its answer. */
  #call(call: Call): { endNs: bigint; status: number } {
    const { draw } = this;
    const { from, to, path, startNs } = call;
    const at = this.#pick(to.name);
    const [client, server, own] = [draw.hex(2), draw.hex(2), draw.hex(2)];
    let nowNs = startNs + ns(0.2 + draw.unit() * 0.3);
    const serverStartNs = nowNs;
    nowNs += ns(0.1 + draw.unit() * 0.1);
    const ownStartNs = nowNs;
    nowNs += ns(draw.latencyMs(to.ownMs));
    let status = this.#failing === to.name ? 503 : 200;
    for (const next of to.calls) {
      if (draw.unit() >= next.share) continue;
      const service = services.find(({ name }) => name === next.to);
      if (!service) continue;
      const answer = this.#call({
        from: at,
        to: service,
        path: next.path,
        parentSpanId: own,
        startNs: nowNs,
      });
      nowNs = answer.endNs + ns(draw.unit() * 0.2);
      if (answer.status >= 500) status = 500;
    }
    const ownEndNs = nowNs;
    const serverEndNs = ownEndNs + ns(0.1 + draw.unit() * 0.1);
    const endNs = serverEndNs + ns(0.2 + draw.unit() * 0.3);
    const exchange = {
      method: path === "/checkout" || path === "/charge" ? "POST" : "GET",
      path,
      status,
      flags: status === 503 ? "UF" : "-",
      requestId: this.#requestId,
      authority: from.name === "ingressgateway" ? "shop.example.com" : `${to.name}.shop:${to.port}`,
      agent: this.#agent,
      bytesIn: draw.below(4) === 0 ? draw.below(900) : 0,
      bytesOut: 200 + draw.below(to.name === "frontend" ? 9000 : 1500),
      upstream: `${at.ip}:${at.port}`,
    };
    const port = 32768 + draw.below(28000);
    const outward: Exchange = {
      ...exchange,
      at: from,
      inbound: false,
      startNs,
      durationMs: Number(endNs - startNs) / 1e6,
      cluster: `outbound|${to.port}||${to.name}.shop.svc.cluster.local`,
      local: `${from.ip}:${port}`,
      remote: `${from.ip}:${32768 + draw.below(28000)}`,
    };
    const inward: Exchange = {
      ...exchange,
      at,
      inbound: true,
      startNs: serverStartNs,
      durationMs: Number(serverEndNs - serverStartNs) / 1e6,
      cluster: `inbound|${to.port}||`,
      local: `127.0.0.6:${32768 + draw.below(28000)}`,
      remote: outward.local,
    };
    this.#proxySpan(outward, client, call.parentSpanId, endNs);
    this.#proxySpan(inward, server, client, serverEndNs);
    this.#push({
      spanId: own,
      parentSpanId: server,
      service: at.name,
      name: `${exchange.method} ${path.startsWith("/product/") ? "/product/{id}" : path}`,
      kind: "server",
      startNs: ownStartNs,
      endNs: ownEndNs,
      status,
      attributes: {
        "http.request.method": exchange.method,
        "http.route": path.startsWith("/product/") ? "/product/{id}" : path,
        "http.response.status_code": status,
        "url.path": path,
        "user.id": String(draw.below(100_000)),
      },
      resource: at.resource,
      scopeName: "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
    });
    this.#exchanges.push(outward, inward);
    return { endNs, status };
  }

  #proxySpan(exchange: Exchange, spanId: string, parentSpanId: string, endNs: bigint): void {
    const { at, inbound, status } = exchange;
    this.#push({
      spanId,
      parentSpanId,
      service: at.name,
      name: `${exchange.authority.split(":")[0]}:${at.port}/*`,
      kind: inbound ? "server" : "client",
      startNs: exchange.startNs,
      endNs,
      status,
      attributes: {
        component: "proxy",
        node_id: `sidecar~${at.ip}~${at.pod}.shop~shop.svc.cluster.local`,
        zone: "",
        "guid:x-request-id": exchange.requestId,
        "http.method": exchange.method,
        "http.url": `http://${exchange.authority}${exchange.path}`,
        "http.protocol": "HTTP/1.1",
        "http.status_code": String(status),
        request_size: String(exchange.bytesIn),
        response_size: String(exchange.bytesOut),
        response_flags: exchange.flags,
        downstream_cluster: "-",
        upstream_cluster: exchange.cluster,
        "upstream_cluster.name": exchange.cluster,
        user_agent: exchange.agent,
        "peer.address": exchange.remote.slice(0, exchange.remote.indexOf(":")),
        "istio.canonical_service": at.name,
        "istio.canonical_revision": "v1",
        "istio.mesh_id": "cluster.local",
        "istio.namespace": "shop",
        "istio.cluster_id": "Kubernetes",
      },
      resource: at.proxyResource,
      scopeName: "envoy",
    });
  }

  #push(span: {
    spanId: string;
    parentSpanId: string;
    service: string;
    name: string;
    kind: SpanKind;
    startNs: bigint;
    endNs: bigint;
    status: number;
    attributes: Attributes;
    resource: Attributes;
    scopeName: string;
  }): void {
    const { endNs, status, ...rest } = span;
    this.#spans.push({
      ...rest,
      traceId: this.#traceId,
      durationNs: Number(endNs - span.startNs),
      status: status >= 500 ? "error" : "unset",
      statusMessage: status >= 500 ? String(status) : "",
      scopeVersion: "",
      events: [],
      links: [],
    });
  }
}

/** Microseconds are what proxies measure. */
function ns(ms: number): bigint {
  return BigInt(Math.round(ms * 1000)) * 1000n;
}

/** Istio's default text format of access logs. */
export function accessLine(exchange: Exchange): string {
  const { flags, status, durationMs, at } = exchange;
  const time = new Date(Number(exchange.startNs / 1_000_000n)).toISOString();
  const details =
    status === 503 ? "upstream_reset_before_response_started{connection_failure}" : "via_upstream";
  const whole = Math.round(durationMs);
  const destination = exchange.inbound ? `${at.ip}:${at.port}` : exchange.upstream;
  const name = exchange.inbound ? `outbound_.${at.port}_._.${at.name}.shop.svc.cluster.local` : "-";
  return (
    `[${time}] "${exchange.method} ${exchange.path} HTTP/1.1" ${status} ${flags} ${details} - "-" ` +
    `${exchange.bytesIn} ${exchange.bytesOut} ${whole} ${Math.max(0, whole - 1)} "-" "${exchange.agent}" "${exchange.requestId}" ` +
    `"${exchange.authority}" "${exchange.upstream}" ${exchange.cluster} ${exchange.local} ${destination} ${exchange.remote} ${name} default`
  );
}
