import { describe, expect, it } from "vitest";
import { shortHost, shortServices } from "./names.ts";

describe("short names", () => {
  it("drop what every host has", () => {
    expect(shortHost("post-service.shop.svc.cluster.local:8080/*")).toBe(
      "post-service.shop:8080/*",
    );
    expect(shortHost("GET /posts")).toBe("GET /posts");
  });

  it("drop the namespace only where the rest is still unambiguous", () => {
    const short = shortServices(["cart.shop", "cart.test", "users.shop", "users.shop", "db"]);
    expect([...short]).toEqual([
      ["cart.shop", "cart.shop"],
      ["cart.test", "cart.test"],
      ["users.shop", "users"],
      ["db", "db"],
    ]);
  });
});
