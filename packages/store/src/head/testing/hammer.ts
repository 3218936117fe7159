/** What the hammering reader and its test agree on. */
export interface HammerReport {
  selects: number;
  samples: number;
  readonly faults: readonly string[];
}

/** The large group has two families, so that a page spans both; the small one grows as it goes. */
export function membersOf(group: string, page: number): number {
  return group === "large" ? 4200 : 3 + Math.min(60, page >> 2);
}
