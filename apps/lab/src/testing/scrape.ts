/** Reads a running lab's series the way a Prometheus would: over HTTP, from the pods that ask to be scraped. */
import type { KubeStore } from "../kube/store.ts";

export interface ScrapedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Of the pod it came from. */
  readonly app: string;
}

const samplePattern = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;

export async function scrapeLab(store: KubeStore): Promise<ScrapedSample[]> {
  const pages = await Promise.all(
    store.list("Pod").map(async (pod) => {
      const { annotations, labels } = pod.metadata;
      const address = pod.status.podIP;
      if (annotations?.["prometheus.io/scrape"] !== "true" || address === undefined) return [];
      const url = `http://${address}:${annotations["prometheus.io/port"]}${annotations["prometheus.io/path"]}`;
      try {
        return parsePage(await (await fetch(url)).text(), labels?.["app"] ?? "");
      } catch {
        // Pods come and go during rollouts.
        return [];
      }
    }),
  );
  return pages.flat();
}

export function parsePage(text: string, app: string): ScrapedSample[] {
  return text.split("\n").flatMap((line) => {
    const match = line.startsWith("#") ? null : samplePattern.exec(line);
    if (match === null) return [];
    const labels: Record<string, string> = {};
    for (const [, name = "", value = ""] of (match[2] ?? "").matchAll(
      /(\w+)="((?:[^"\\]|\\.)*)"/g,
    )) {
      labels[name] = value;
    }
    return [{ name: match[1] ?? "", labels, value: Number(match[3]), app }];
  });
}

/** The sum of the samples with that name and those labels; 0 when there is none. */
export function sumOf(
  samples: readonly ScrapedSample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  return samples
    .filter(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    )
    .reduce((sum, { value }) => sum + value, 0);
}
