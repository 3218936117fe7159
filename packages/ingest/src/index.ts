export { ExpositionError, IngestError } from "./errors.ts";
export {
  type Exemplar,
  type Metadata,
  type MetricType,
  type Page,
  PageLayout,
} from "./exposition/page.ts";
export { parseExposition, type ParseOptions } from "./exposition/parse.ts";
export { parseScrapeConfig, type ScrapeConfig, type ScrapeJob } from "./scrape/config.ts";
export type { TargetStatus } from "./scrape/loop.ts";
export { type DroppedTarget, type PoolOptions, ScrapePool } from "./scrape/pool.ts";
export type { TargetGroup } from "./scrape/target.ts";
