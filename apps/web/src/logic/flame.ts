/**
 * A flame graph of a trace: spans on the same path of operations are one box, whose width is the time that they and all below
 * spent themselves. Exclusive times add up where durations would not, since calls may run side by side.
 */
import type { TraceOutline } from "@skopos/api";

export interface FlameBox {
  /** Share of the whole, 0 to 1. */
  readonly left: number;
  readonly width: number;
  readonly depth: number;
  readonly service: string;
  readonly name: string;
  readonly spans: number;
  readonly errors: number;
  readonly totalMs: number;
  readonly exclusiveMs: number;
  /** The first span's row. */
  readonly row: number;
}

interface Node {
  readonly service: number;
  readonly name: number;
  readonly row: number;
  readonly children: Map<number, Node>;
  spans: number;
  errors: number;
  exclusiveMs: number;
  totalMs: number;
}

/** Narrower boxes are not drawn. */
const widthMin = 0.001;
const boxesMax = 3000;

function add(siblings: Map<number, Node>, outline: TraceOutline, row: number, names: number): Node {
  const service = outline.service[row] ?? 0;
  const name = outline.name[row] ?? 0;
  const key = service * names + name;
  const node = siblings.get(key) ?? {
    service,
    name,
    row,
    children: new Map<number, Node>(),
    spans: 0,
    errors: 0,
    exclusiveMs: 0,
    totalMs: 0,
  };
  siblings.set(key, node);
  node.spans++;
  if (outline.status[row] === "error") node.errors++;
  node.exclusiveMs += outline.exclusiveMs[row] ?? 0;
  return node;
}

/** Widest first among siblings; parents before children. */
export function flameBoxes(outline: TraceOutline): FlameBox[] {
  const roots = new Map<number, Node>();
  const nodes: Node[] = [];
  outline.spanIds.forEach((_, row) => {
    const parent = nodes[outline.parent[row] ?? -1];
    nodes[row] = add(parent?.children ?? roots, outline, row, outline.names.length);
  });
  addUp(nodes);
  const wholeMs = [...roots.values()].reduce((sum, { totalMs }) => sum + totalMs, 0);
  if (wholeMs <= 0) return [];
  const boxes: FlameBox[] = [];
  const pending: Placed[] = [];
  /** The widest is taken next. */
  const arrange = (siblings: Iterable<Node>, from: number, depth: number) => {
    let left = from;
    const arranged: Placed[] = [];
    for (const node of [...siblings].toSorted((a, b) => b.totalMs - a.totalMs)) {
      const width = node.totalMs / wholeMs;
      if (width < widthMin) break;
      arranged.push({ node, left, width, depth });
      left += width;
    }
    pending.push(...arranged.toReversed());
  };
  arrange(roots.values(), 0, 0);
  for (let next = pending.pop(); next && boxes.length < boxesMax; next = pending.pop()) {
    const { node, left, width, depth } = next;
    boxes.push({
      left,
      width,
      depth,
      service: outline.services[node.service]?.name ?? "",
      name: outline.names[node.name] ?? "",
      spans: node.spans,
      errors: node.errors,
      totalMs: node.totalMs,
      exclusiveMs: node.exclusiveMs,
      row: node.row,
    });
    arrange(node.children.values(), left, depth + 1);
  }
  return boxes;
}

interface Placed {
  readonly node: Node;
  readonly left: number;
  readonly width: number;
  readonly depth: number;
}

/** From the last row up, since a trace may be deeper than the stack: boxes below one begin at later rows than it. */
function addUp(nodes: readonly Node[]): void {
  for (let row = nodes.length - 1; row >= 0; row--) {
    const node = nodes[row];
    if (node?.row !== row) continue;
    node.totalMs = node.exclusiveMs;
    for (const child of node.children.values()) node.totalMs += child.totalMs;
  }
}
