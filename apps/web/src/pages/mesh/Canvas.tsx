/** The graph on a canvas that pans and zooms, by pointer, wheel, buttons and keys. */
import type { GraphEdge, GraphNode } from "@skopos/api";
import { useElementSize, useMergedRef } from "@mantine/hooks";
import { IconFocusCentered, IconMinus, IconPlus } from "@tabler/icons-react";
import {
  type FocusEvent,
  type KeyboardEvent,
  type PointerEvent,
  type ReactNode,
  useEffect,
  useRef,
  useState,
} from "react";
import { type Box, boxAround } from "../../logic/graph-layout.ts";
import { isTrouble } from "../../logic/graph-look.ts";
import { firstView, fitView, panView, revealPoint, zoomView } from "../../logic/viewport.ts";
import { Drawing, type Selection } from "./Drawing.tsx";
import { usePlaces } from "./use-places.ts";

interface CanvasProps {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly selection: Selection;
  readonly select: (selection: Selection) => void;
}

const step = 80;
const pans: Readonly<Record<string, { x: number; y: number }>> = {
  ArrowLeft: { x: step, y: 0 },
  ArrowRight: { x: -step, y: 0 },
  ArrowUp: { x: 0, y: step },
  ArrowDown: { x: 0, y: -step },
};
const centre = { x: 0.5, y: 0.5 };
/** A press that moves less than this is a click. */
const clickPx = 4;

export function Canvas({ nodes, edges, selection, select }: CanvasProps): ReactNode {
  const drawn = edges.map((edge) => ({ edge, source: edge.source, target: edge.target }));
  const layout = usePlaces(nodes, drawn);
  const { ref: sizeRef, width, height } = useElementSize();
  const holder = useRef<HTMLDivElement>(null);
  const merged = useMergedRef(sizeRef, holder);
  const size = { width, height };
  const chosen =
    selection.node ??
    selection.edge?.split("->")[1] ??
    nodes.find(({ health }) => isTrouble(health.state))?.id ??
    nodes.find(({ kind }) => kind === "gateway")?.id;
  const focus = (chosen === undefined ? undefined : layout.places.get(chosen)) ?? null;
  /** `null`: nobody has moved yet. */
  const [moved, setMoved] = useState<Box | null>(null);
  const box = boxAround(layout);
  const view = moved ?? firstView(box, size, focus);
  const drag = useRef<{ x: number; y: number; far: boolean } | null>(null);
  const zoom = (factor: number, around = centre) =>
    setMoved((was) => zoomView(was ?? view, size, factor, around));
  const latest = useRef(zoom);
  useEffect(() => {
    latest.current = zoom;
  });

  useEffect(() => {
    const element = holder.current;
    if (!element) return undefined;
    const wheel = (event: WheelEvent) => {
      // React listens passively; the page must not scroll while the graph zooms.
      event.preventDefault();
      const { left, top, width, height } = element.getBoundingClientRect();
      latest.current(Math.exp(-event.deltaY * 0.0015), {
        x: (event.clientX - left) / width,
        y: (event.clientY - top) / height,
      });
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, []);

  const down = (event: PointerEvent) => {
    if (event.button === 0) drag.current = { x: event.clientX, y: event.clientY, far: false };
  };
  const move = (event: PointerEvent) => {
    const start = drag.current;
    if (!start) return;
    const by = { x: event.clientX - start.x, y: event.clientY - start.y };
    if (!start.far && Math.hypot(by.x, by.y) < clickPx) return;
    if (!start.far) event.currentTarget.setPointerCapture(event.pointerId);
    drag.current = { x: event.clientX, y: event.clientY, far: true };
    setMoved((was) => panView(was ?? view, size, by));
  };
  const up = () => {
    drag.current = null;
  };
  const keys = (event: KeyboardEvent) => {
    const pan = pans[event.key];
    if (pan) setMoved((was) => panView(was ?? view, size, pan));
    else if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else if (event.key === "0") setMoved(fitView(box, size));
    else if (event.key === "Escape") select({});
    else return;
    event.preventDefault();
  };
  const focused = (event: FocusEvent) => {
    const id = event.target.getAttribute("data-node-id");
    const place = id === null ? undefined : layout.places.get(id);
    if (place && moved) setMoved(revealPoint(moved, place));
  };
  return (
    <div className="mesh-canvas" ref={merged}>
      {/* Panning is an extra: everything in it is reachable by keys and in the list. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <svg
        className="mesh-svg"
        viewBox={`${view.x} ${view.y} ${view.width} ${view.height}`}
        role="group"
        aria-label="Graph of the mesh, from the gateways on the left. Tab moves through the services."
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={up}
        onKeyDown={keys}
        onFocus={focused}
        onClick={(event) => {
          if (event.target === event.currentTarget) select({});
        }}
      >
        {width > 0 && (
          <Drawing
            nodes={nodes}
            edges={drawn}
            layout={layout}
            selection={selection}
            select={select}
          />
        )}
      </svg>
      <div className="mesh-zoom" role="group" aria-label="Zoom">
        <button type="button" className="icon-button" aria-label="Closer" onClick={() => zoom(1.3)}>
          <IconPlus size={16} aria-hidden="true" />
        </button>
        <button
          type="button"
          className="icon-button"
          aria-label="Farther"
          onClick={() => zoom(0.77)}
        >
          <IconMinus size={16} aria-hidden="true" />
        </button>
        <button
          type="button"
          className="icon-button"
          aria-label="Fit all"
          onClick={() => setMoved(fitView(box, size))}
        >
          <IconFocusCentered size={16} aria-hidden="true" />
        </button>
      </div>
    </div>
  );
}
