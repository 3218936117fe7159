import { expect, it } from "vitest";
import { readMetricView, readPlaces, togglePlace, withoutPlace } from "./metric-views.ts";

it("shows a graph where the address says nothing it knows", () => {
  expect(readMetricView("heat")).toBe("heat");
  expect(readMetricView("pie")).toBe("graph");
});

it("keeps with each query whether its cost is shown", () => {
  const places = readPlaces(["0", "2", "x", "-1"]);
  expect([...places]).toEqual([0, 2]);
  expect(togglePlace(places, 1)).toEqual(["0", "1", "2"]);
  expect(togglePlace(places, 2)).toEqual(["0"]);
  expect(withoutPlace(places, 0)).toEqual(["1"]);
});
