export { FakeClock } from "./fake-clock.ts";
export { KubeServer, type KubeServerOptions } from "./kube-server.ts";
export { SimulatedDisk, type SimulatedDiskOptions } from "./simulated-disk.ts";
