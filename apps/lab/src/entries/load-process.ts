import { runLoad } from "../load/load-process.ts";

runLoad();
