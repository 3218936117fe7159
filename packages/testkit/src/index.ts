export { blankSpan, spansOf, traceOriginMs } from "./spans.ts";
export { FakeClock } from "./fake-clock.ts";
export { KubeServer, type KubeServerOptions } from "./kube-server.ts";
export { SimulatedDisk, type SimulatedDiskOptions } from "./simulated-disk.ts";
export {
  type ContractCase,
  type ContractPage,
  metricReaderContract,
  type OpenReader,
  samplesOf,
} from "./metric-reader-contract.ts";
export { bitsOf, PlainMetricStore } from "./plain-metric-store.ts";
export { type LogFixture, logReaderContract } from "./log-reader-contract.ts";
export { type TraceFixture, traceReaderContract } from "./trace-reader-contract.ts";
export {
  type Condition,
  MeshSimulation,
  type MeshSimulationOptions,
  type SimulatedService,
} from "./mesh-simulation.ts";
