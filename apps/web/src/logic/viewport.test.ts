import { describe, expect, it } from "vitest";
import { firstView, fitView, panView, revealPoint, zoomView } from "./viewport.ts";

const box = { x: 100, y: 50, width: 400, height: 200 };
const size = { width: 800, height: 300 };

describe("the seen part of a drawing", () => {
  it("fits everything, centred", () => {
    const view = fitView(box, size);
    expect(view.width / view.height).toBeCloseTo(size.width / size.height);
    expect(view.x + view.width / 2).toBeCloseTo(300);
    expect(view.width).toBeGreaterThanOrEqual(box.width);
  });

  it("opens a drawing too big to read on what matters, within its edges", () => {
    const huge = { x: 0, y: 0, width: 1000, height: 6000 };
    const view = firstView(huge, size, { x: 500, y: 5900 });
    expect(size.width / view.width).toBeCloseTo(0.5);
    expect(view.y + view.height).toBeCloseTo(6000);
    expect(firstView(box, size, { x: 0, y: 0 })).toEqual(fitView(box, size));
  });

  it("keeps the point under the pointer where it is while zooming", () => {
    const view = fitView(box, size);
    const around = { x: 0.25, y: 0.75 };
    const next = zoomView(view, size, 1.5, around);
    expect(next.x + next.width * 0.25).toBeCloseTo(view.x + view.width * 0.25);
    expect(next.y + next.height * 0.75).toBeCloseTo(view.y + view.height * 0.75);
  });

  it("stops zooming somewhere", () => {
    let view = fitView(box, size);
    for (let i = 0; i < 100; i++) view = zoomView(view, size, 2, { x: 0.5, y: 0.5 });
    expect(size.width / view.width).toBeCloseTo(3);
  });

  it("pans with the pointer, and reveals what lies outside", () => {
    const view = { x: 0, y: 0, width: 800, height: 300 };
    expect(panView(view, size, { x: 10, y: -5 })).toMatchObject({ x: -10, y: 5 });
    expect(revealPoint(view, { x: 1000, y: 100 }).x).toBe(260);
    expect(revealPoint(view, { x: 400, y: 150 })).toEqual(view);
  });
});
