import { describe, expect, it } from "vitest";
import { unescapeLabelName } from "./label-name.ts";

describe("a label name in a path", () => {
  it.each([
    ["job", "job"],
    ["U__service_2e_name", "service.name"],
    ["U__a__b", "a_b"],
    ["U___1f600_", "😀"],
    ["U__http_2e_status__code", "http.status_code"],
  ])("%s means %s", (written, name) => expect(unescapeLabelName(written)).toBe(name));

  it.each(["U__a_2e", "U__a_zz_b", "U__a_1234567_", "U___d800_", "U__a_"])(
    "%s is no escaped form and stands for itself",
    (name) => expect(unescapeLabelName(name)).toBe(name),
  );
});
