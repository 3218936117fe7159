/**
 * Mines templates from log lines as they come: Drain, a tree of fixed depth (number of words, first word) whose
 * leaves hold a few templates each, compared word by word. A line joins the most similar template of its leaf, and words
 * that differ become `<*>`; else it begins one of its own. Source: He, Zhu, Zheng, Lyu, "Drain: An Online Log Parsing
 * Approach with Fixed Depth Tree", ICWS 2017.
 *
 * Lines are mined by what their stream is about (its labels but those that tell instances apart), apart from one another.
 * Everything is bounded: at a limit the template or stream that was seen longest ago is forgotten, and its counts are
 * handed on first.
 */
import type { LabelMap, PatternCount } from "@skopos/model";
import { messageOf, wildcard, wordsOf } from "./words.ts";

/** Of a template's words, this share must be the line's. */
const similarityMin = 0.45;
const streamsMax = 2000;
const templatesPerStreamMax = 300;
/** Templates of one leaf that are compared with. */
const leafMax = 24;
/** Different first words of lines of one length; beyond it they share a branch. */
const branchesMax = 64;
const sampleCharsMax = 500;
const bucketMs = 60_000;
/** Buckets of one template that wait to be handed on; lines of more times than that count to the last. */
const bucketsMax = 60;

/** Labels that tell instances of one thing apart, or say what the line itself says. */
const instanceLabels = new Set([
  "pod",
  "pod_name",
  "pod_uid",
  "k8s_pod_name",
  "instance",
  "service_instance_id",
  "host",
  "hostname",
  "node",
  "node_name",
  "filename",
  "stream",
  "container_id",
]);

interface Template {
  words: string[];
  text: string;
  id: string;
  sample: string;
  /** Lines by bucket since they were handed on. The first two fields are the bucket of nearly every line. */
  currentMs: number;
  current: number;
  others: Map<number, number> | undefined;
}

interface Stream {
  readonly labels: LabelMap;
  /** Leaf by its path. */
  readonly leaves: Map<string, Template[]>;
  /** Words that have a branch of their own, by the place. */
  readonly branches: Map<string, Set<string>>;
  /** Oldest first. */
  readonly templates: Map<Template, Template[]>;
  /** Templates that lines come with, by text. */
  readonly given: Map<string, Template>;
}

export class TemplateMiner {
  readonly #streams = new Map<string, Stream>();
  readonly #streamOf = new WeakMap<LabelMap, Stream>();
  readonly #words: string[] = [];
  /** Counts of what was forgotten, until they are handed on. */
  #left: PatternCount[] = [];

  /** Counts the line and returns the id of its template as it is now. */
  add(labels: LabelMap, line: string, timeNs: bigint): string {
    wordsOf(messageOf(line), this.#words);
    const words = this.#words;
    const stream = this.#stream(labels);
    const leaf = leafOf(stream, words);
    let template = bestOf(leaf, words);
    if (template) generalise(template, words);
    else template = this.#begin(stream, leaf, [...words], line);
    return count(template, timeNs);
  }

  /** As `add`, for lines of which the template is known, like those of an access log. */
  addKnown(labels: LabelMap, text: string, line: string, timeNs: bigint): string {
    const stream = this.#stream(labels);
    let template = stream.given.get(text);
    if (!template) {
      template = this.#begin(stream, [], [text], line);
      stream.given.set(text, template);
    }
    return count(template, timeNs);
  }

  /** What was counted since the last time. */
  drain(): PatternCount[] {
    const counts = this.#left;
    this.#left = [];
    for (const stream of this.#streams.values())
      for (const template of stream.templates.keys()) handOn(stream, template, counts);
    return counts;
  }

  #stream(labels: LabelMap): Stream {
    const known = this.#streamOf.get(labels);
    if (known) return known;
    const names = Object.keys(labels).filter((name) => !instanceLabels.has(name));
    const about = Object.fromEntries(names.sort().map((name) => [name, labels[name] ?? ""]));
    const key = JSON.stringify(about);
    let stream = this.#streams.get(key);
    // Last in the map is heard of last.
    if (stream) this.#streams.delete(key);
    else {
      if (this.#streams.size >= streamsMax) this.#forgetStream();
      stream = {
        labels: about,
        leaves: new Map(),
        branches: new Map(),
        templates: new Map(),
        given: new Map(),
      };
    }
    this.#streams.set(key, stream);
    this.#streamOf.set(labels, stream);
    return stream;
  }

  #begin(stream: Stream, leaf: Template[], words: string[], line: string): Template {
    if (stream.templates.size >= templatesPerStreamMax) {
      const [oldest] = stream.templates.keys();
      if (oldest) this.#forget(stream, oldest);
    }
    const oldestOfLeaf = leaf[0];
    if (leaf.length >= leafMax && oldestOfLeaf) this.#forget(stream, oldestOfLeaf);
    const text = words.join(" ");
    const template: Template = {
      words,
      text,
      id: idOf(text),
      sample: line.slice(0, sampleCharsMax),
      currentMs: 0,
      current: 0,
      others: undefined,
    };
    leaf.push(template);
    stream.templates.set(template, leaf);
    return template;
  }

  #forget(stream: Stream, template: Template): void {
    handOn(stream, template, this.#left);
    const leaf = stream.templates.get(template);
    leaf?.splice(leaf.indexOf(template), 1);
    stream.templates.delete(template);
    stream.given.delete(template.text);
  }

  #forgetStream(): void {
    for (const [key, stream] of this.#streams) {
      for (const template of stream.templates.keys()) handOn(stream, template, this.#left);
      this.#streams.delete(key);
      // Lines that come with the same labels object must not count to what nobody reads any more.
      stream.templates.clear();
      stream.leaves.clear();
      stream.given.clear();
      return;
    }
  }
}

function leafOf(stream: Stream, words: readonly string[]): Template[] {
  const length = String(words.length);
  const path = `${length} ${branch(stream, length, words[0] ?? "")}`;
  let leaf = stream.leaves.get(path);
  if (!leaf) {
    leaf = [];
    stream.leaves.set(path, leaf);
  }
  return leaf;
}

/** The word, or a wildcard where it varies or too many different ones came before. */
function branch(stream: Stream, place: string, word: string): string {
  if (word.includes(wildcard)) return wildcard;
  let words = stream.branches.get(place);
  if (!words) {
    words = new Set();
    stream.branches.set(place, words);
  }
  if (words.has(word)) return word;
  if (words.size >= branchesMax) return wildcard;
  words.add(word);
  return word;
}

function bestOf(leaf: readonly Template[], words: readonly string[]): Template | undefined {
  let best: Template | undefined;
  let bestSame = Math.ceil(words.length * similarityMin) - 1;
  for (const template of leaf) {
    let same = 0;
    for (let i = 0; i < words.length; i++) if (template.words[i] === words[i]) same++;
    if (same > bestSame) {
      best = template;
      bestSame = same;
      if (same === words.length) break;
    }
  }
  return best;
}

function generalise(template: Template, words: readonly string[]): void {
  let changed = false;
  for (let i = 0; i < words.length; i++) {
    if (template.words[i] === words[i] || template.words[i] === wildcard) continue;
    template.words[i] = wildcard;
    changed = true;
  }
  if (!changed) return;
  template.text = template.words.join(" ");
  template.id = idOf(template.text);
}

function count(template: Template, timeNs: bigint): string {
  const timeMs = Number(timeNs / 1_000_000n);
  const at = timeMs - (timeMs % bucketMs);
  if (at === template.currentMs) template.current++;
  else countOther(template, at);
  return template.id;
}

/** The newest bucket is the current one; the others wait beside it. */
function countOther(template: Template, atMs: number): void {
  const others = (template.others ??= new Map());
  if (atMs > template.currentMs) {
    if (template.current > 0) add(others, template.currentMs, template.current);
    template.currentMs = atMs;
    template.current = 1;
  } else add(others, atMs, 1);
}

function add(buckets: Map<number, number>, atMs: number, count: number): void {
  let key = atMs;
  if (!buckets.has(key) && buckets.size >= bucketsMax) key = buckets.keys().next().value ?? atMs;
  buckets.set(key, (buckets.get(key) ?? 0) + count);
}

function handOn(stream: Stream, template: Template, into: PatternCount[]): void {
  const { labels } = stream;
  const { id: templateId, text, sample } = template;
  const push = (atMs: number, counted: number) =>
    into.push({
      labels,
      templateId,
      template: text,
      bucketMs: atMs,
      count: counted,
      sample,
    });
  if (template.others) for (const [atMs, counted] of template.others) push(atMs, counted);
  if (template.current > 0) push(template.currentMs, template.current);
  template.others = undefined;
  template.current = 0;
}

/** Two 32-bit FNV-1a hashes from different starts, as sixteen digits. */
function idOf(text: string): string {
  let first = 0x811c9dc5;
  let second = 0x9e3779b9;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    first = Math.imul(first ^ code, 0x01000193);
    second = Math.imul(second ^ (code + 0x55), 0x01000193);
    second ^= second >>> 15;
  }
  const hex = (value: number) => (value >>> 0).toString(16).padStart(8, "0");
  return hex(first) + hex(second);
}
