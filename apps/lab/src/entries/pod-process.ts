import { runPod } from "../pod/pod.ts";

runPod();
