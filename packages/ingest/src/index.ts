export { ExpositionError, IngestError, type IngestErrorCode } from "./errors.ts";
export {
  type Exemplar,
  type Metadata,
  type MetricType,
  type Page,
  PageLayout,
} from "./exposition/page.ts";
export { parseExposition, type ParseOptions } from "./exposition/parse.ts";
