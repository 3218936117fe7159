export { parseServerConfig, readServerConfigFile, type ServerConfig } from "./config.ts";
export { dropData } from "./drop-data.ts";
export { type RunningServer, startServer, version } from "./start.ts";
export { resourceDir } from "./threads/entries.ts";
