import { describe, expect, it } from "vitest";
import { parseScrapeConfig } from "./config.ts";

const job = (settings: string) => `scrape_configs:\n- job_name: a\n  ${settings}\n`;

describe("a scrape configuration", () => {
  it("is read as Prometheus has it", () => {
    const config = parseScrapeConfig(
      `
global:
  scrape_interval: 15s
  evaluation_interval: 15s
  external_labels: {cluster: eu}
rule_files: [rules.yml]
scrape_configs:
- job_name: envoy
  scrape_interval: 5s
  metrics_path: /stats/prometheus
  params: {usedonly: ["", x]}
  body_size_limit: 10MB
  sample_limit: 1000
  basic_auth: {username: u, password_file: secrets/pw}
  tls_config: {ca_file: ca.pem, insecure_skip_verify: true}
  kubernetes_sd_configs:
  - role: pod
    namespaces: {names: [shop]}
    selectors: [{role: pod, label: "app=cart"}]
  relabel_configs:
  - source_labels: [__meta_kubernetes_pod_phase]
    action: Keep
    regex: Running
  metric_relabel_configs:
  - {regex: pod_template_hash, action: labeldrop}
- job_name: self
  static_configs:
  - targets: ['127.0.0.1:9090']
    labels: {team: a}
`,
      "etc/prometheus.yml",
    );
    const [envoy, self] = config.jobs;
    expect(config.externalLabels).toEqual({ cluster: "eu" });
    expect(config.ignored).toEqual([
      "etc/prometheus.yml:6:13: rule_files has no effect here",
      "etc/prometheus.yml:4:24: evaluation_interval has no effect here",
    ]);
    expect(envoy).toMatchObject({
      name: "envoy",
      intervalMs: 5000,
      timeoutMs: 5000,
      metricsPath: "/stats/prometheus",
      params: { usedonly: ["", "x"] },
      limits: { bodySizeBytes: 10 * 1024 * 1024, samples: 1000, labels: 0 },
      relabel: [{ action: "keep", regex: "Running" }],
      metricRelabel: [{ action: "labeldrop" }],
      kubernetes: [{ role: "pod", namespaces: ["shop"], selectors: [{ label: "app=cart" }] }],
    });
    expect(envoy?.http.credentials).toMatchObject({
      scheme: "basic",
      secret: { file: expect.stringMatching(/etc\/secrets\/pw$/) as string },
    });
    expect(envoy?.http.tls).toMatchObject({ insecureSkipVerify: true });
    expect(self).toMatchObject({
      intervalMs: 15_000,
      timeoutMs: 10_000,
      scheme: "http",
      honorTimestamps: true,
      staticConfigs: [{ targets: ["127.0.0.1:9090"], labels: { team: "a" } }],
    });
  });

  it("says where targets come from", () => {
    const [read] = parseScrapeConfig(
      job(`file_sd_configs: [{files: ["sd/*.yml", /abs/a.json], refresh_interval: 30s}]
  http_sd_configs: [{url: "https://sd.example/targets", authorization: {credentials_file: t}}]
  kubernetes_sd_configs: [{role: ingress, attach_metadata: {node: true}}]`),
      "/etc/p.yml",
    ).jobs;
    expect(read?.files).toEqual([{ files: ["/etc/sd/*.yml", "/abs/a.json"], refreshMs: 30_000 }]);
    expect(read?.httpSd).toMatchObject([
      {
        url: "https://sd.example/targets",
        refreshMs: 60_000,
        http: { credentials: { scheme: "Bearer" } },
      },
    ]);
    expect(read?.kubernetes).toMatchObject([{ role: "ingress", attachNode: true }]);
  });

  it("takes limits, formats and timing from global where a job says nothing", () => {
    const { jobs } = parseScrapeConfig(`
global: {sample_limit: 7, keep_dropped_targets: 3, scrape_protocols: [PrometheusText0.0.4]}
scrape_configs:
- job_name: a
- job_name: b
  sample_limit: 0
  scrape_protocols: [OpenMetricsText1.0.0]
  fallback_scrape_protocol: PrometheusText0.0.4
  track_timestamps_staleness: true
  follow_redirects: false
`);
    expect(jobs).toMatchObject([
      {
        limits: { samples: 7, keepDropped: 3 },
        protocols: ["PrometheusText0.0.4"],
        fallbackProtocol: undefined,
        trackTimestampsStaleness: false,
        http: { followRedirects: true },
      },
      {
        limits: { samples: 0 },
        protocols: ["OpenMetricsText1.0.0"],
        fallbackProtocol: "PrometheusText0.0.4",
        trackTimestampsStaleness: true,
        http: { followRedirects: false },
      },
    ]);
  });

  it("names HTTP/2 and exceptions from proxies as without effect", () => {
    const settings = "proxy_url: http://p\n  enable_http2: true\n  no_proxy: a,b";
    expect(parseScrapeConfig(job(settings), "p.yml").ignored).toEqual([
      "p.yml:4:17: enable_http2 has no effect here",
      "p.yml:5:13: no_proxy has no effect here",
    ]);
  });

  it("names settings that have no effect here", () => {
    const text = "scrape_configs:\n- job_name: a\n  consul_sd_configs: []\n";
    expect(parseScrapeConfig(text, "p.yml").ignored).toEqual([
      "p.yml:3:22: consul_sd_configs has no effect here",
    ]);
  });

  it("never shows a secret", () => {
    const text = "scrape_configs:\n- job_name: a\n  authorization: {credentials: hunter2}\n";
    const config = parseScrapeConfig(text);
    expect(
      JSON.stringify(config, (_, value: unknown) => (typeof value === "bigint" ? 0 : value)),
    ).not.toContain("hunter2");
    expect(config.jobs[0]?.http.credentials?.scheme).toBe("Bearer");
  });

  it.each([
    ["a: [", /^p\.yml:\d+:\d+: /],
    ["scrape_configs: 5", "p.yml:1:17: scrape_configs must be a list"],
    ["scrape_configs:\n- scrape_interval: 1s", "p.yml:2:3: a scrape config needs a job_name"],
    ["scrape_configs:\n- job_name: a\n- job_name: a", /two scrape_configs have the job_name "a"/],
    [job("scrape_interval: soon"), /^p\.yml:3:20: scrape_interval: not a duration: "soon"/],
    [
      job("scrape_timeout: 2m"),
      /^p\.yml:3:19: scrape_timeout of job a is longer than its scrape_interval/,
    ],
    [job("scheme: ftp"), 'p.yml:3:11: scheme must be one of http, https, not "ftp"'],
    [job("sample_limit: many"), /^p\.yml:3:17: sample_limit must be a whole number/],
    [job("relabel_configs: [{action: replce}]"), /action must be one of replace, keep/],
    [job("relabel_configs: [{regex: '('}]"), /needs a target_label/],
    [
      job("relabel_configs: [{regex: '(', target_label: x}]"),
      /^p\.yml:3:29: invalid regular expression/,
    ],
    [job("kubernetes_sd_configs: [{role: pods}]"), /role must be one of pod, service/],
    [job("file_sd_configs: [{files: [a.txt]}]"), /^p\.yml:3:29: .*ends in \.json, \.yml or \.yaml/],
    [job("http_sd_configs: [{url: nowhere}]"), /url must be an http or https address/],
    [job("scrape_protocols: [Smoke]"), /scrape_protocols: Smoke is none of/],
    [job("static_configs: [{targets: ['a:1/metrics']}]"), /is not a target: write host:port/],
    [job("basic_auth: {}\n  bearer_token: x"), /exclude each other/],
    [job("tls_config: {cert_file: a}"), /needs both a certificate and its key/],
    [job("tls_config: {min_version: SSL3}"), /min_version must be one of TLS10/],
  ])("that is wrong is refused with its place: %j", (text, message) => {
    expect(() => parseScrapeConfig(text, "p.yml")).toThrow(message);
  });
});
