/** Go's regexp.Expand: `$1`, `${1}`, `$name`, `${name}`, `$$`. */
import type { compileRegex } from "@skopos/model";

type Pattern = ReturnType<typeof compileRegex>;
type Matcher = ReturnType<Pattern["matcher"]>;

/** The template with the groups of the matcher's present match; one that did not take part is "". */
export function expand(template: string, pattern: Pattern, matcher: Matcher): string {
  return template.replaceAll(
    /\$(?:\$|(\w+)|\{(\w+)\})/g,
    (_, bare: string | undefined, braced: string | undefined) => {
      const name = bare ?? braced;
      if (name === undefined) return "$";
      const index = /^\d+$/.test(name) ? Number(name) : pattern.namedGroups()[name];
      if (index === undefined || index > matcher.groupCount()) return "";
      return matcher.group(index) ?? "";
    },
  );
}
