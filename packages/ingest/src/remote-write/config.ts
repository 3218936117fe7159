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
  readonly relabel: readonly RelabelRule[];
  readonly queue: {
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

function readRemote(map: Fields): RemoteWriteConfig {
  const url = map.text("url", "");
  if (!URL.canParse(url)) map.fail(`remote_write needs a url, not ${JSON.stringify(url)}`, "url");
  const remote: RemoteWriteConfig = {
    name: map.text("name", url),
    url,
    headers: map.strings("headers"),
    http: readHttp(map),
    timeoutMs: map.duration("remote_timeout", 30_000),
    relabel: map.list("write_relabel_configs").map(readRelabel),
    queue: readQueue(map.child("queue_config")),
  };
  map.finish();
  return remote;
}

function readQueue(map: Fields): RemoteWriteConfig["queue"] {
  const queue = {
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
