/** What pushed metrics say of their families: the newest word of each, up to `familiesMax` families. */
import type { MetricMetadata } from "@skopos/model";

const familiesMax = 20_000;

export class MetadataBook {
  readonly families = new Map<string, MetricMetadata>();

  note(found: ReadonlyMap<string, MetricMetadata>): void {
    for (const [family, metadata] of found)
      if (this.families.size < familiesMax || this.families.has(family))
        this.families.set(family, metadata);
  }
}
