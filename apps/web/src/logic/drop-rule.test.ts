import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { dropLabelRule, dropMetricRule, dropPairRule, mayDrop } from "./drop-rule.ts";

describe("rules that drop series", () => {
  it("are YAML that means the very name, whatever is in it", () => {
    expect(parse(dropLabelRule("grpc.status"))).toEqual({
      metric_relabel_configs: [{ action: "labeldrop", regex: "grpc\\.status" }],
    });
    expect(parse(dropMetricRule("istio_request_bytes_bucket"))).toEqual({
      metric_relabel_configs: [
        { source_labels: ["__name__"], action: "drop", regex: "istio_request_bytes_bucket" },
      ],
    });
    expect(parse(dropPairRule("path=/a'b?x=1"))).toEqual({
      metric_relabel_configs: [{ source_labels: ["path"], action: "drop", regex: "/a'b\\?x=1" }],
    });
  });

  it("are not offered for labels that tell series apart", () => {
    const needed = [
      "le",
      "instance",
      "pod",
      "destination_workload",
      "destination_service_namespace",
    ];
    expect(needed.filter(mayDrop)).toEqual([]);
    expect(mayDrop("destination_principal")).toBe(true);
  });
});
