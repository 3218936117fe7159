import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fuzzRuns } from "../testing/fuzz-runs.ts";
import { Masker, maskingRuleNames } from "./masker.ts";

const masker = () => new Masker({ defaults: true, rules: [] });
const jwt = `eyJ${"a".repeat(20)}.eyJ${"b".repeat(20)}.${"c".repeat(43)}`;
const aws = ["AKIA", "ABCDEFGHIJKLMNOP"].join("");

describe("the built-in rules", () => {
  it.each([
    ["url-secrets", "GET /a?user=7&access_token=abc.def&x=1", "GET /a?user=7&access_token=***&x=1"],
    ["url-passwords", "dial postgres://app:hunter2@db:5432/x", "dial postgres://app:***@db:5432/x"],
    ["bearer-tokens", "Authorization: Bearer abcdefghijkl rest", "Authorization: Bearer *** rest"],
    ["json-web-tokens", `got ${jwt} from b`, "got *** from b"],
    ["cloud-keys", `key ${aws}.`, "key ***."],
    ["assigned-secrets", "login password=hunter2, ok", "login password=***, ok"],
    ["assigned-secrets", '{"password":"hun\\"ter2","a":1}', '{"password":"***","a":1}'],
    [
      "assigned-secrets",
      String.raw`{"msg":"{\"api_key\":\"abc\"}"}`,
      String.raw`{"msg":"{\"api_key\":\"***\"}"}`,
    ],
    ["assigned-secrets", "DB_PASSWORD: 'x y'", "DB_PASSWORD: '***'"],
  ])("%s mask a text", (rule, text, expected) => {
    const found = masker();
    expect(found.text(text)).toBe(expected);
    expect(found.counts[rule]).toBe(1);
  });

  it.each([
    "GET /a?page=2&size=10 200 in 12ms",
    "unexpected token: } at 7",
    "max tokens: 12",
    "the secret of success",
    "http://shop:8080/path@x",
    "user a@example.org paid with 4111 1111 1111 1111",
  ])("leave %s alone", (text) => {
    expect(masker().text(text)).toBe(text);
  });

  it("mask fields by their names, with a prefix or not", () => {
    const found = masker();
    const attributes = {
      "http.request.header.authorization": ["Basic abc"],
      "Set-Cookie": "a=b",
      "http.method": "GET",
      "llm.token": 12,
      password: 7,
    };
    expect(found.attributes(attributes)).toEqual({
      "http.request.header.authorization": ["***"],
      "Set-Cookie": "***",
      "http.method": "GET",
      "llm.token": 12,
      password: "***",
    });
    expect(found.pairs({ http_request_header_x_api_key: "k", path: "/a?token=x" })).toEqual({
      http_request_header_x_api_key: "***",
      path: "/a?token=***",
    });
    expect(found.counts).toMatchObject({ "secret-fields": 4, "url-secrets": 1 });
  });

  it("hand the same object back when there is nothing to mask", () => {
    const attributes = { a: "b" };
    expect(masker().attributes(attributes)).toBe(attributes);
  });

  it("that are optional work when named, others then do not", () => {
    const found = new Masker({ defaults: ["emails", "card-numbers"], rules: [] });
    expect(found.text("a@example.org 4111 1111 1111 1111 4111111111111112 password=x")).toBe(
      "*** *** 4111111111111112 password=x",
    );
  });

  it("take time that grows with the text, whatever the text", () => {
    const all = new Masker({ defaults: maskingRuleNames, rules: [] });
    const parts = ["password", "=", '"', "\\", "a", "://", "@", " ", "eyJ", ".", "1", "?key="];
    for (const part of parts) all.text(part.repeat(200_000 / part.length));
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 40 }), (mixed) => {
        all.text(mixed.join("").repeat(50));
      }),
      { numRuns: fuzzRuns(200) },
    );
  });
});

describe("rules of the configuration", () => {
  it("mask a field, a pattern, or a pattern within a field", () => {
    const found = new Masker({
      defaults: false,
      rules: [
        { name: "tenant", key: "*.tenant" },
        { name: "order", pattern: "order-(\\d{2})\\d+", replace: "order-$1…" },
        { name: "path", key: "path", pattern: "/users/[^/]+", replace: "/users/:id" },
      ],
    });
    expect(found.text("saw order-123456 and order-7")).toBe("saw order-12… and order-7");
    expect(
      found.pairs({ "app.Tenant": "acme", path: "/users/7/cart", "x-path": "/users/7" }),
    ).toEqual({ "app.Tenant": "***", path: "/users/:id/cart", "x-path": "/users/7" });
    expect(found.counts).toEqual({ tenant: 1, order: 1, path: 1 });
  });

  it("work without a text that must occur", () => {
    const found = new Masker({
      defaults: true,
      rules: [{ name: "digits", pattern: "\\d{6,}|x{3}" }],
    });
    expect(found.text("id 1234567 xxx")).toBe("id *** ***");
  });

  it.each([
    [{ defaults: ["nope"], rules: [] }, /no masking rule "nope"/],
    [{ defaults: true, rules: [{ name: "r" }] }, /masking rule r: needs a key/],
    [{ defaults: true, rules: [{ name: "r", pattern: "(a" }] }, /invalid regular expression/],
  ])("that cannot be are refused", (settings, message) => {
    expect(() => new Masker(settings)).toThrow(message);
  });
});
