import { describe, expect, it } from "vitest";
import { metricNameOf, type NamedKind, plainFloat } from "./metric-names.ts";

describe("a metric's name", () => {
  it.each<[string, string, NamedKind, string]>([
    ["system.filesystem.usage", "By", "gauge", "system_filesystem_usage_bytes"],
    ["system.io", "foo/bar", "gauge", "system_io_foo_per_bar"],
    ["system.network.io", "By/s", "gauge", "system_network_io_bytes_per_second"],
    ["requests", "{request}", "monotonic-sum", "requests_total"],
    ["total.requests", "", "monotonic-sum", "requests_total"],
    ["active.ratio", "1", "gauge", "active_ratio"],
    ["hits", "1", "monotonic-sum", "hits_total"],
    ["request_seconds", "s", "histogram", "request_seconds"],
    ["storage.9", "", "gauge", "storage_9"],
    ["9.lives", "", "gauge", "_9_lives"],
    ["a..b__c", "", "gauge", "a_b_c"],
    ["rule:sum", "", "gauge", "rule:sum"],
    ["speed", "m/{lap}", "gauge", "speed_meters"],
    ["cpu", "%", "gauge", "cpu_percent"],
    ["é", "", "gauge", ""],
  ])("%s in %j as %s is %s", (name, unit, kind, expected) => {
    expect(metricNameOf(name, unit, kind)).toBe(expected);
  });
});

it.each([
  [1, "1"],
  [0.005, "0.005"],
  [1e-9, "0.000000001"],
  [1e21, "1000000000000000000000"],
  [123.456, "123.456"],
  [-2.5, "-2.5"],
  [0, "0"],
  [Infinity, "+Inf"],
  [Number.NaN, "NaN"],
])("%d is written %s", (value, text) => {
  expect(plainFloat(value)).toBe(text);
});
