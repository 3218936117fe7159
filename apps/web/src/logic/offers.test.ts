import { describe, expect, it } from "vitest";
import { offersFor } from "./offers.ts";

const places = [
  { path: "/", name: "Now" },
  { path: "/incidents", name: "Incidents" },
];
const hit = {
  entity: { kind: "service", id: "s/user-service", name: "user-service" },
  path: "/mesh/services/s/user-service",
  detail: "socialstream",
} as const;

describe("search anything", () => {
  it("offers pages and commands before anything is typed", () => {
    const offers = offersFor("", places, []);
    expect(offers[0]).toMatchObject({ name: "Now", kind: "page" });
    expect(offers.some(({ kind }) => kind === "command")).toBe(true);
  });

  it("puts what the server found before the rest", () => {
    expect(offersFor("user", places, [hit])[0]).toMatchObject({ name: "user-service" });
  });

  it("opens a pasted trace id at once", () => {
    const [first] = offersFor("4BF92F3577B34DA6A3CE929D0E0E4736", places, []);
    expect(first?.act).toEqual({ type: "go", path: "/traces/4bf92f3577b34da6a3ce929d0e0e4736" });
  });

  it("takes a query to the page that runs it", () => {
    const names = offersFor('{app="x"}', places, []).map(({ name }) => name);
    expect(names.slice(0, 2)).toEqual(["Search logs", "Search traces"]);
    expect(offersFor("rate(up[5m])", places, [])[0]?.name).toBe("Run in Metrics");
  });

  it("finds a page by part of its name", () => {
    expect(offersFor("inci", places, [])[0]?.name).toBe("Incidents");
  });
});
