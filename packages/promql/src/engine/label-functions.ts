/** label_replace and label_join. */
import { compileRegex, type LabelSet, metricNameLabel, SkoposError } from "@skopos/model";
import { hasInvalidBytes, quote } from "../syntax/format.ts";
import { Frame } from "./frame.ts";
import { joinEqualLabels } from "./names.ts";

type Match = ReturnType<ReturnType<typeof compileRegex>["matcher"]>;

/** strings: destination, replacement, source, pattern. The pattern must match the whole source value. */
export function labelReplace(frame: Frame, strings: readonly string[]): Frame {
  const [target = "", replacement = "", source = "", pattern = ""] = strings;
  checkLabel("label_replace", target);
  let regex;
  try {
    regex = compileRegex(`^(?s:${pattern})$`);
  } catch (cause) {
    throw new SkoposError(
      "execution",
      `invalid regular expression in label_replace(): ${pattern}`,
      { cause },
    );
  }
  return relabel(frame, target, (labels) => {
    const matcher = regex.matcher(labels.get(source));
    return matcher.matches() ? labels.with(target, expand(replacement, matcher)) : undefined;
  });
}

/** strings: destination, separator, sources. */
export function labelJoin(frame: Frame, strings: readonly string[]): Frame {
  const [target = "", separator = "", ...sources] = strings;
  checkLabel("label_join", target);
  for (const source of sources) {
    if (hasInvalidBytes(source))
      throw new SkoposError(
        "execution",
        `invalid source label name in label_join(): ${quote(source)}`,
      );
  }
  return relabel(frame, target, (labels) =>
    labels.with(target, sources.map((source) => labels.get(source)).join(separator)),
  );
}

function checkLabel(fn: string, name: string): void {
  if (name === "" || hasInvalidBytes(name))
    throw new SkoposError("execution", `invalid destination label name in ${fn}(): ${quote(name)}`);
}

/** `change` gives undefined where a series stays as it is. A name that is set here is no longer dropped later. */
function relabel(
  frame: Frame,
  target: string,
  change: (labels: LabelSet) => LabelSet | undefined,
): Frame {
  const dropName = frame.dropName?.slice();
  const labels = frame.labels.map((set, s) => {
    const changed = change(set);
    if (changed && dropName && target === metricNameLabel) dropName[s] = 0;
    return changed ?? set;
  });
  const { steps, values, present, histograms } = frame;
  return joinEqualLabels(new Frame({ labels, steps, values, present, histograms, dropName }));
}

/** Go's Expand: $1, ${1}, $name, ${name}, $$. The longest run of word characters is the name; unknown ones are empty. */
function expand(template: string, match: Match): string {
  return template.replaceAll(
    /\$(?:\$|\{(\w+)\}|(\w+))/g,
    (whole, braced?: string, bare?: string) => {
      if (whole === "$$") return "$";
      const name = braced ?? bare ?? "";
      try {
        return match.group(/^\d+$/.test(name) ? Number(name) : name) ?? "";
      } catch {
        // The library throws for groups that the pattern does not have; they expand to nothing.
        return "";
      }
    },
  );
}
