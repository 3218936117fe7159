import { runClickHouseChild } from "@skopos/store";
import { giveWayToPaging } from "./give-way.ts";

// Before it starts threads of its own, which inherit it.
giveWayToPaging();
runClickHouseChild();
