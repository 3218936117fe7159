export type { LabProcessMessage, LabProcessOptions } from "./entries/lab-process.ts";
export { type Lab, type LabOptions, startLab } from "./lab.ts";
export { runLoad } from "./load/load-process.ts";
export { type LoadReport, reportText } from "./load/report.ts";
export { runPod } from "./pod/pod.ts";
export { parseScenario, type Scenario } from "./scenario/scenario-file.ts";
export { parseTopology, readTopology, type Topology } from "./topology/topology-file.ts";
