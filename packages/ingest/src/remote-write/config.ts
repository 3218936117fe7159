/** The `remote_write` section of a Prometheus configuration, as it is. */
import { readRelabel } from "../scrape/config.ts";
import { type HttpConfig, readHttp } from "../scrape/http-config.ts";
import type { RelabelRule } from "../scrape/relabel.ts";
import { type Fields, openYaml } from "../scrape/yaml-fields.ts";

export interface RemoteWriteConfig {
  /** Unique; the URL where none is given. */
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly http: HttpConfig;
  readonly timeoutMs: number;
  /** By `protobuf_message`. */
  readonly protocol: "1.0" | "2.0";
  readonly sends: {
    readonly exemplars: boolean;
    /** Version 2.0 always does. */
    readonly histograms: boolean;
    readonly metadata: boolean;
    readonly metadataEveryMs: number;
    readonly metadataPerSendMax: number;
  };
  readonly relabel: readonly RelabelRule[];
  readonly queue: {
    /** Requests at a time. */
    readonly shardsMax: number;
    readonly samplesPerSendMax: number;
    readonly deadlineMs: number;
    readonly backOffMinMs: number;
    readonly backOffMaxMs: number;
    readonly retryOn429: boolean;
    /** Older samples are dropped; 0: none are. */
    readonly sampleAgeMsMax: number;
  };
}

/** Throws "bad-config". The rest of the file is left to `parseScrapeConfig`. */
export function parseRemoteWriteConfig(
  text: string,
  fileName: string,
): { remotes: RemoteWriteConfig[]; ignored: string[] } {
  const { root, ignored } = openYaml(text, fileName);
  const names = new Set<string>();
  const remotes = root.list("remote_write").map((map) => {
    const remote = readRemote(map);
    if (names.has(remote.name))
      map.fail(`two remote_write entries are called ${remote.name}: give them names`);
    names.add(remote.name);
    return remote;
  });
  return { remotes, ignored };
}

const messages = ["prometheus.WriteRequest", "io.prometheus.write.v2.Request"] as const;

function readRemote(map: Fields): RemoteWriteConfig {
  const url = map.text("url", "");
  if (!URL.canParse(url)) map.fail(`remote_write needs a url, not ${JSON.stringify(url)}`, "url");
  const message = map.oneOf("protobuf_message", messages, messages[0]);
  const protocol = message === messages[0] ? "1.0" : "2.0";
  const remote: RemoteWriteConfig = {
    name: map.text("name", url),
    url,
    headers: map.strings("headers"),
    http: readHttp(map),
    timeoutMs: map.duration("remote_timeout", 30_000),
    protocol,
    sends: readSends(map, protocol),
    relabel: map.list("write_relabel_configs").map(readRelabel),
    queue: readQueue(map.child("queue_config")),
  };
  map.finish();
  return remote;
}

function readSends(
  map: Fields,
  protocol: RemoteWriteConfig["protocol"],
): RemoteWriteConfig["sends"] {
  const metadata = map.child("metadata_config");
  const sends = {
    exemplars: map.flag("send_exemplars", false),
    histograms: map.flag("send_native_histograms", false) || protocol === "2.0",
    metadata: metadata.flag("send", true),
    metadataEveryMs: metadata.duration("send_interval", 60_000),
    metadataPerSendMax: Math.max(1, metadata.count("max_samples_per_send", 2000)),
  };
  metadata.finish();
  return sends;
}

/** More would need more memory and sockets than they bring. */
const shardsMaxMax = 200;

function readQueue(map: Fields): RemoteWriteConfig["queue"] {
  const queue = {
    shardsMax: Math.min(shardsMaxMax, Math.max(1, map.count("max_shards", 50))),
    samplesPerSendMax: Math.max(1, map.count("max_samples_per_send", 2000)),
    deadlineMs: map.duration("batch_send_deadline", 5000),
    backOffMinMs: Math.max(1, map.duration("min_backoff", 30)),
    backOffMaxMs: Math.max(1, map.duration("max_backoff", 5000)),
    // Upstream's default is false, which drops what a receiver asks to be sent later.
    retryOn429: map.flag("retry_on_http_429", true),
    sampleAgeMsMax: map.duration("sample_age_limit", 0),
  };
  map.finish();
  return queue;
}
