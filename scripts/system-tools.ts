/**
 * Finds the programs that tests and benchmarks need besides Node and npm: Chromium, promtool and its companions, kubectl.
 * On Debian, what is missing is installed (Chromium, as root) or unpacked below node_modules/.cache (single programs, from
 * Debian's own packages; kubectl from Debian 13 where this release's is too old). Elsewhere the missing program is named
 * together with the command that installs it.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const cacheDir = path.resolve(import.meta.dirname, "../node_modules/.cache/skopos-tools");
const kubectlMinorMin = 32;

export class MissingToolError extends Error {}

function inPath(names: readonly string[]): string | undefined {
  for (const name of names) {
    for (const dir of (process.env["PATH"] ?? "").split(path.delimiter)) {
      const file = path.join(dir, name);
      if (existsSync(file)) return file;
    }
  }
  return undefined;
}

function isDebian(): boolean {
  return existsSync("/etc/debian_version") && inPath(["apt-get"]) !== undefined;
}

/** The mirror that this machine is set up with, read from apt's own configuration. */
function debianMirror(): string {
  const dir = "/etc/apt/sources.list.d";
  const files = [
    "/etc/apt/sources.list",
    ...(existsSync(dir) ? readdirSync(dir).map((f) => path.join(dir, f)) : []),
  ];
  for (const file of files.filter((f) => /\.(list|sources)$/.test(f) && existsSync(f))) {
    const match = /(?:^URIs:\s*|^deb\s+(?:\[[^\]]*\]\s*)?)(\S+)/m.exec(readFileSync(file, "utf8"));
    if (match?.[1]?.includes("debian")) return match[1];
  }
  throw new MissingToolError("apt names no Debian mirror");
}

function run(command: string, args: readonly string[], cwd?: string): void {
  const done = spawnSync(command, args, { cwd, encoding: "utf8", timeout: 600_000 });
  if (done.status !== 0)
    throw new MissingToolError(`${command} ${args.join(" ")} failed: ${done.stderr}`);
}

/** Downloads one Debian package and unpacks it, without installing anything. */
function unpackDebianPackage(name: string, release: string): string {
  const root = path.join(cacheDir, release, name);
  if (existsSync(path.join(root, "usr"))) return root;
  const apt = path.join(cacheDir, release, "apt");
  for (const sub of ["lists/partial", "cache/archives/partial"])
    mkdirSync(path.join(apt, sub), { recursive: true });
  mkdirSync(root, { recursive: true });
  const sources = path.join(apt, "sources.list");
  const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  writeFileSync(sources, `deb [signed-by=${keyring}] ${debianMirror()} ${release} main\n`);
  // What is installed here must not count: a package of the same name from elsewhere would win.
  writeFileSync(path.join(apt, "status"), "");
  const options = [
    `Dir::State::status=${apt}/status`,
    `Dir::Etc::sourcelist=${sources}`,
    "Dir::Etc::sourceparts=-",
    `Dir::State::lists=${apt}/lists`,
    `Dir::Cache=${apt}/cache`,
    "APT::Sandbox::User=root",
  ].flatMap((option) => ["-o", option]);
  run("apt-get", [...options, "-q", "update"]);
  run("apt-get", [...options, "-q", "download", name], apt);
  const deb = readdirSync(apt).find((file) => file.startsWith(`${name}_`) && file.endsWith(".deb"));
  if (!deb) throw new MissingToolError(`apt-get download ${name} left no package`);
  run("dpkg-deb", ["-x", path.join(apt, deb), root]);
  return root;
}

function debianRelease(): string {
  return /VERSION_CODENAME=(\w+)/.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "stable";
}

/** A program of Debian's that needs no more than libc: from the path, or unpacked. `variable` overrides. */
function single(
  variable: string,
  program: string,
  debianPackage: string,
  release = debianRelease,
): string {
  const named = process.env[variable] ?? inPath([program]);
  if (named) return named;
  if (!isDebian()) {
    throw new MissingToolError(
      `${program} is missing: install it (Debian: apt-get install ${debianPackage}) or set ${variable}`,
    );
  }
  return path.join(unpackDebianPackage(debianPackage, release()), "usr/bin", program);
}

function kubectlMinor(file: string): number {
  const done = spawnSync(file, ["version", "--client", "-o", "json"], {
    encoding: "utf8",
    timeout: 30_000,
  });
  return Number(/"minor":\s*"(\d+)/.exec(done.stdout ?? "")?.[1] ?? 0);
}

export function findChromium(): string {
  const named =
    process.env["SKOPOS_CHROMIUM"] ??
    inPath(["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]);
  if (named) return named;
  const command = "apt-get update && apt-get install -y --no-install-recommends chromium";
  if (!isDebian() || process.getuid?.() !== 0) {
    throw new MissingToolError(
      `Chromium is missing: install it (Debian, as root: ${command}) or set SKOPOS_CHROMIUM`,
    );
  }
  run("sh", ["-c", `export DEBIAN_FRONTEND=noninteractive; ${command}`]);
  return findChromium();
}

export const findPromtool = () => single("SKOPOS_PROMTOOL", "promtool", "prometheus");
export const findPrometheus = () => single("SKOPOS_PROMETHEUS", "prometheus", "prometheus");
export const findVictoriaMetrics = () =>
  single("SKOPOS_VICTORIA_METRICS", "victoria-metrics", "victoria-metrics");

/** kubectl 1.32 or newer. */
export function findKubectl(): string {
  const named = process.env["SKOPOS_KUBECTL"] ?? inPath(["kubectl"]);
  if (named && kubectlMinor(named) >= kubectlMinorMin) return named;
  if (!isDebian())
    throw new MissingToolError(
      `kubectl 1.${kubectlMinorMin} or newer is missing: install it or set SKOPOS_KUBECTL`,
    );
  return path.join(unpackDebianPackage("kubectl", "trixie"), "usr/bin/kubectl");
}

/** The variables by which tests are told where the programs are. */
export function systemTools(): Record<string, string> {
  return {
    SKOPOS_CHROMIUM: findChromium(),
    SKOPOS_PROMTOOL: findPromtool(),
    SKOPOS_PROMETHEUS: findPrometheus(),
    SKOPOS_VICTORIA_METRICS: findVictoriaMetrics(),
    SKOPOS_KUBECTL: findKubectl(),
  };
}

/** What a program says of its version, in one line. */
export function versionOf(file: string, args: readonly string[]): string {
  return (
    execFileSync(file, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).split(
      "\n",
    )[0] ?? ""
  );
}
