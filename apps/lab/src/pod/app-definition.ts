/** What an application of the topology does per request, as data: waiting and burning CPU, calling, querying. */

interface Work {
  /** Mean of the time spent waiting (log-normal). */
  readonly waitMs: number;
  /** CPU really burnt. */
  readonly cpuMs: number;
}

export interface Call {
  readonly method: string;
  /** "host:port" as the application would name it. */
  readonly authority: string;
  /** May hold "{id}": a random id below 1000. */
  readonly path: string;
}

export type Step =
  | {
      readonly kind: "call";
      readonly call: Call;
      readonly times: number;
      readonly optional: boolean;
    }
  /** Fire and forget. */
  | { readonly kind: "send"; readonly call: Call }
  | { readonly kind: "parallel"; readonly steps: readonly Step[] }
  /** One statement on a connection of the database pool. */
  | { readonly kind: "query"; readonly waitMs: number }
  | { readonly kind: "work"; readonly work: Work };

export interface AppRoute {
  readonly method: string;
  /** Segments may be ":name" for anything. */
  readonly path: string;
  readonly steps: readonly Step[];
  readonly responseBytes: number;
}

export type AppDefinition =
  | { readonly kind: "http"; readonly routes: readonly AppRoute[] }
  | { readonly kind: "database" };
