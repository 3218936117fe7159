/** Checks imports against the layer list of `layers.json`. Text-based, so that it cannot silently read nothing. */
import path from "node:path";

export interface SourceFile {
  /** Path from the repository's root, with forward slashes. */
  readonly name: string;
  readonly text: string;
}

const importPattern = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)["']([^"']+)["']/g;

/** One line per import that the list does not allow. A test file may also import `testkit` and its room's own testing door. */
export function findLayerFaults(
  files: readonly SourceFile[],
  layers: Readonly<Record<string, readonly string[]>>,
): string[] {
  const faults: string[] = [];
  for (const { name, text } of files) {
    const room = name.split("/").slice(0, 2).join("/");
    const allowed = layers[room];
    if (!allowed) {
      faults.push(`${name}: ${room} is not in the layer list`);
      continue;
    }
    const isTest = /\.test\.tsx?$/.test(name);
    for (const match of text.matchAll(importPattern)) {
      const target = match[1] ?? "";
      if (target.startsWith("@skopos/")) {
        const door = target.slice("@skopos/".length);
        const own = `packages/${door}` === room || `apps/${door}` === room;
        const forTests = isTest && (door === "testkit" || door.endsWith("/testing"));
        const whole = allowed.includes(door.split("/")[0] ?? "") && door.split("/").length <= 2;
        if (!own && !forTests && !whole && !allowed.includes(door))
          faults.push(`${name}: may not import ${target}`);
      } else if (target.startsWith(".")) {
        const resolved = path.posix.join(path.posix.dirname(name), target);
        if (!resolved.startsWith(`${room}/`))
          faults.push(`${name}: reaches out of its room to ${target}`);
      }
    }
  }
  return faults;
}
