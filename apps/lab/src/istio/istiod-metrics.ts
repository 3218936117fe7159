/** What istiod exposes about itself, under Istio's names. */
import { Histogram, Page } from "../telemetry/exposition.ts";

const convergenceBuckets = [0.1, 0.5, 1, 3, 5, 10, 20, 30];
const pushBuckets = [0.01, 0.1, 1, 3, 5, 10, 20, 30];
const sizeBuckets = [1, 10_000, 1_000_000, 4_000_000, 10_000_000, 40_000_000];

export class IstiodMetrics {
  readonly convergence = new Histogram(convergenceBuckets);
  readonly queueTime = new Histogram(convergenceBuckets);
  readonly pushTime = new Histogram(pushBuckets);
  readonly debounceTime = new Histogram(pushBuckets);
  readonly configSize = new Histogram(sizeBuckets);
  connected = 0;
  rejects = 0;
  internalErrors = 0;
  services = 0;
  virtualServices = 0;
  duplicateHosts = 0;
  clustersWithoutInstances = 0;
  csrs = 0;
  issued = 0;
  rootNotAfterMs = 0;
  injections = 0;
  validationsPassed = 0;
  readonly #counters = new Map<string, Map<string, number>>();

  /** `labels`: as text, e.g. `type="cds"`. */
  count(family: string, labels: string): void {
    let series = this.#counters.get(family);
    if (series === undefined) this.#counters.set(family, (series = new Map()));
    series.set(labels, (series.get(labels) ?? 0) + 1);
  }

  text(proxyTag: string): string {
    const page = new Page();
    page.single("istio_build", "gauge", 1, { component: "pilot", tag: proxyTag });
    page.single("pilot_info", "gauge", 1, { version: proxyTag });
    page.single("pilot_xds", "gauge", this.connected, { version: proxyTag });
    for (const [family, series] of this.#counters) {
      page.family(family, "counter");
      for (const [labels, value] of series) page.raw(`${family}{${labels}} ${value}`);
    }
    this.#histograms(page);
    this.#gauges(page);
    this.#citadel(page);
    return page.text();
  }

  #histograms(page: Page): void {
    const all: [string, Histogram, string][] = [
      ["pilot_proxy_convergence_time", this.convergence, ""],
      ["pilot_proxy_queue_time", this.queueTime, ""],
      ["pilot_xds_push_time", this.pushTime, 'type="cds"'],
      ["pilot_debounce_time", this.debounceTime, ""],
      ["pilot_xds_config_size_bytes", this.configSize, 'type="cds"'],
    ];
    for (const [name, histogram, labels] of all) {
      page.family(name, "histogram");
      histogram.write(page, name, labels);
    }
  }

  #gauges(page: Page): void {
    page
      .single("pilot_total_xds_rejects", "counter", this.rejects, { type: "cds" })
      .single("pilot_total_xds_internal_errors", "counter", this.internalErrors)
      .single("pilot_xds_write_timeout", "counter", 0)
      .single("pilot_no_ip", "gauge", 0)
      .single("pilot_eds_no_instances", "gauge", this.clustersWithoutInstances)
      .single("pilot_vservice_dup_domain", "gauge", this.duplicateHosts)
      .single("pilot_conflict_inbound_listener", "gauge", 0)
      .single("pilot_services", "gauge", this.services)
      .single("pilot_virt_services", "gauge", this.virtualServices);
  }

  #citadel(page: Page): void {
    const rootSeconds = Math.floor(this.rootNotAfterMs / 1000);
    page
      .single("citadel_server_csr_count", "counter", this.csrs)
      .single("citadel_server_success_cert_issuance_count", "counter", this.issued)
      .single("citadel_server_root_cert_expiry_timestamp", "gauge", rootSeconds)
      .single("citadel_server_cert_chain_expiry_timestamp", "gauge", rootSeconds)
      .single("sidecar_injection_requests_total", "counter", this.injections)
      .single("sidecar_injection_success_total", "counter", this.injections)
      .single("sidecar_injection_failure_total", "counter", 0)
      .single("galley_validation_passed", "counter", this.validationsPassed)
      .single("galley_validation_failed", "counter", 0);
  }
}
