/** How often a property is tried with random input: as given, or as often as SKOPOS_FUZZ_RUNS says. */
export function fuzzRuns(usual: number): number {
  const wanted = Number(process.env["SKOPOS_FUZZ_RUNS"]);
  return Number.isInteger(wanted) && wanted > 0 ? wanted : usual;
}
