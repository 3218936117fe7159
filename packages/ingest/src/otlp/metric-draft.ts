/** OTLP metrics as read from either encoding, before they become series. Source: opentelemetry/proto/metrics/v1/metrics.proto. */
import type { AttributeValue } from "@skopos/model";
import { IngestError } from "../errors.ts";
import { AttributeCutter } from "./attributes.ts";

export type OtlpAttributes = ReadonlyMap<string, AttributeValue>;

export interface ExemplarDraft {
  readonly attributes: OtlpAttributes;
  readonly timeNs: bigint;
  readonly value: number;
  /** Lower-case hex, "" when there is none. */
  readonly traceId: string;
  readonly spanId: string;
}

export interface PointBase {
  readonly attributes: OtlpAttributes;
  readonly timeNs: bigint;
  /** Bit 0: nothing was recorded any more; the series has ended. */
  readonly flags: number;
  readonly exemplars: readonly ExemplarDraft[];
}

export interface NumberPoint extends PointBase {
  /** Undefined when the point says none. */
  readonly value: number | undefined;
}

export interface HistogramPoint extends PointBase {
  readonly count: number;
  readonly sum: number | undefined;
  readonly bucketCounts: readonly number[];
  readonly bounds: readonly number[];
}

export interface ExponentialBuckets {
  readonly offset: number;
  readonly counts: readonly number[];
}

export interface ExponentialPoint extends PointBase {
  readonly count: number;
  readonly sum: number | undefined;
  readonly scale: number;
  readonly zeroCount: number;
  readonly zeroThreshold: number;
  readonly positive: ExponentialBuckets;
  readonly negative: ExponentialBuckets;
}

export interface SummaryPoint extends PointBase {
  readonly count: number;
  readonly sum: number;
  readonly quantiles: readonly { readonly quantile: number; readonly value: number }[];
}

export type Temporality = "unspecified" | "delta" | "cumulative";
export const temporalities: readonly Temporality[] = ["unspecified", "delta", "cumulative"];

export type PointsDraft =
  | { readonly kind: "gauge"; readonly points: readonly NumberPoint[] }
  | {
      readonly kind: "sum";
      readonly points: readonly NumberPoint[];
      readonly temporality: Temporality;
      readonly monotonic: boolean;
    }
  | {
      readonly kind: "histogram";
      readonly points: readonly HistogramPoint[];
      readonly temporality: Temporality;
    }
  | {
      readonly kind: "exponential";
      readonly points: readonly ExponentialPoint[];
      readonly temporality: Temporality;
    }
  | { readonly kind: "summary"; readonly points: readonly SummaryPoint[] }
  | { readonly kind: "none"; readonly points: readonly [] };

export interface MetricDraft {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly data: PointsDraft;
}

export interface ResourceDraft {
  readonly attributes: OtlpAttributes;
  readonly metrics: readonly MetricDraft[];
}

/** Buckets, bounds and quantiles of one point. */
export const pointPartsMax = 20_000;
/** Exemplars read of one point. */
export const pointExemplarsMax = 100;

/** Resources, metrics and points of one request: each costs far more memory than the two bytes an empty one takes. */
const partsMax = 300_000;

/** What reading one request may still cost. */
export class ReadBudget {
  readonly cutter = new AttributeCutter();
  #parts = 0;

  /** Throws "too-large". */
  take(): void {
    if (++this.#parts > partsMax)
      throw new IngestError(
        "too-large",
        `more than ${partsMax} metrics and data points in one request: send smaller requests`,
      );
  }
}
