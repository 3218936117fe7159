import { runClickHouseChild } from "../clickhouse/child.ts";

runClickHouseChild();
