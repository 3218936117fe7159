/**
 * The scrape configuration that is used when none is given: annotated pods, as Istio's own Prometheus add-on finds them.
 * Exporters that speak for other pods (cAdvisor, kube-state-metrics) keep the labels they report.
 */
export function defaultScrapeConfig(intervalMs: number): string {
  const interval = `${intervalMs}ms`;
  const annotated = `
      - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
        action: keep
        regex: "true"
      - source_labels: [__meta_kubernetes_pod_phase]
        action: drop
        regex: Pending|Succeeded|Failed|Completed
      - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scheme]
        action: replace
        regex: (https?)
        target_label: __scheme__
      - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_path]
        action: replace
        regex: (.+)
        target_label: __metrics_path__
      - source_labels: [__meta_kubernetes_pod_ip, __meta_kubernetes_pod_annotation_prometheus_io_port]
        action: replace
        regex: (.+);(\\d+)
        replacement: $1:$2
        target_label: __address__`;
  const exporters = "cadvisor|kube-state-metrics|node-exporter";
  return `
global:
  scrape_interval: ${interval}
  scrape_timeout: ${Math.min(10_000, intervalMs)}ms
scrape_configs:
  - job_name: kubernetes-pods
    kubernetes_sd_configs:
      - role: pod
    relabel_configs:${annotated}
      - source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_name]
        action: drop
        regex: ${exporters}
      - action: labelmap
        regex: __meta_kubernetes_pod_label_(app|version)
      - source_labels: [__meta_kubernetes_namespace]
        target_label: namespace
      - source_labels: [__meta_kubernetes_pod_name]
        target_label: pod
  - job_name: kubernetes-exporters
    honor_labels: true
    kubernetes_sd_configs:
      - role: pod
    relabel_configs:${annotated}
      - source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_name]
        action: keep
        regex: ${exporters}
`;
}
