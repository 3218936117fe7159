import { runClickHouseChild } from "@skopos/store";

runClickHouseChild();
