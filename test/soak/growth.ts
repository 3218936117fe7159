/**
 * Whether a server that is written to for a long time grows. Some of it must: the head holds every sample and every series of
 * its window, which is longer than a soak, so a budget says what a held series and a held sample may cost, in memory and on
 * disk. What lies beyond that (the rest of the process, ClickHouse, the journal between checkpoints) must stay as it is:
 * its median in the last third of the run is held against that in the second third. The first third is for warming up.
 */

/** What the server took, at one moment. */
export interface Footprint {
  /** Since the run began. */
  readonly atMs: number;
  /** Since this process was ready. */
  readonly ageMs: number;
  /** Resident, of the server with all its threads, and of the processes below it: ClickHouse. */
  readonly serverBytes: number;
  readonly clickhouseBytes: number;
  /** What the head says that it takes and holds. */
  readonly headBytes: number;
  readonly headSeries: number;
  /** Acknowledged so far; the window is longer than the run, so all of them are held. */
  readonly samples: number;
  /** Series of all targets that were ever there. */
  readonly series: number;
  readonly journalDiskBytes: number;
  readonly headDiskBytes: number;
  readonly clickhouseDiskBytes: number;
}

/** Per held series in memory: an open window of 32 rows (256 bytes, more where a family is half full) and its names. */
const headBytesPerSeries = 900;
/** Per held sample in memory and on disk: a chunk's column takes 1 to 2 bytes for a counter. */
const bytesPerSample = 4;
/** Per held series on disk: the open window as it is and its names, twice while a snapshot is written anew. */
const headDiskBytesPerSeries = 1000;
/** Of the median in the second third. */
const growthShare = 0.15;
/** Below it growth is noise: garbage that waits for its collector, a merge that is under way. */
const noiseBytes = 64 * 2 ** 20;
/** The journal is cut by whole segments of 64 MiB. */
const journalNoiseBytes = 2 * 64 * 2 ** 20;
/** Series that the server writes of itself. */
const ownSeriesMax = 2000;
/** A third of a run that is shorter says nothing about what should stay as it is: the program is still warming up. */
const thirdMsMin = 60_000;

interface Watched {
  readonly name: string;
  readonly noiseBytes: number;
  of(footprint: Footprint): number;
}

const steady: readonly Watched[] = [
  {
    name: "the server's memory beside the head",
    noiseBytes,
    of: ({ serverBytes, headBytes }) => serverBytes - headBytes,
  },
  { name: "ClickHouse's memory", noiseBytes, of: ({ clickhouseBytes }) => clickhouseBytes },
  { name: "ClickHouse's disk", noiseBytes, of: ({ clickhouseDiskBytes }) => clickhouseDiskBytes },
  {
    name: "the journal",
    noiseBytes: journalNoiseBytes,
    of: ({ journalDiskBytes }) => journalDiskBytes,
  },
];

/** What has grown beyond what it may, in words. `durationMs` is the whole run's. */
export function growthFaults(footprints: readonly Footprint[], durationMs: number): string[] {
  const faults: string[] = [];
  for (const { headSeries, series, headBytes, samples, headDiskBytes, atMs } of footprints) {
    const at = `after ${Math.round(atMs / 1000)} s`;
    if (headSeries > series + ownSeriesMax)
      faults.push(`${at} the head has ${headSeries} series, but only ${series} were ever sent`);
    const memoryMax = headBytesPerSeries * series + bytesPerSample * samples + noiseBytes;
    if (headBytes > memoryMax)
      faults.push(`${at} ${over("the head's memory", headBytes, memoryMax)}`);
    const diskMax = headDiskBytesPerSeries * series + bytesPerSample * samples + noiseBytes;
    if (headDiskBytes > diskMax)
      faults.push(`${at} ${over("the head's files", headDiskBytes, diskMax)}`);
  }
  if (durationMs < 3 * thirdMsMin) return faults;
  const third = (k: number) =>
    footprints.filter(({ atMs }) => Math.floor((3 * atMs) / durationMs) === k);
  for (const watched of steady) {
    const before = median(third(1).map((footprint) => watched.of(footprint)));
    const after = median(third(2).map((footprint) => watched.of(footprint)));
    if (before === undefined || after === undefined) continue;
    const max = before + Math.max(growthShare * before, watched.noiseBytes);
    if (after > max) faults.push(`in the last third ${over(watched.name, after, max)}`);
  }
  return faults;
}

function over(name: string, bytes: number, max: number): string {
  return `${name}: ${megabytes(bytes)} MB, where at most ${megabytes(max)} MB were expected`;
}

export function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
