export { SimulatedDisk, type SimulatedDiskOptions } from "./simulated-disk.ts";
