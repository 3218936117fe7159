import { parseScrapeConfig } from "@skopos/ingest";
import { describe, expect, it } from "vitest";
import { defaultScrapeConfig } from "./scrape-config.ts";

describe("the built-in scrape configuration", () => {
  it("is a Prometheus configuration in which every setting has an effect", () => {
    const config = parseScrapeConfig(defaultScrapeConfig(5000));
    expect(config.ignored).toEqual([]);
    expect(config.jobs.map((job) => [job.name, job.intervalMs])).toEqual([
      ["kubernetes-pods", 5000],
      ["kubernetes-exporters", 5000],
    ]);
  });
});
