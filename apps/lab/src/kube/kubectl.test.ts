import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { systemClock } from "@skopos/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createKubeApi, type KubeApi } from "./api.ts";
import { TestNode } from "./test-node.ts";

/** Runs the real kubectl against a listening API. */
const installCommand =
  "curl -fLo /usr/local/bin/kubectl https://dl.k8s.io/release/v1.32.4/bin/linux/$(dpkg --print-architecture)/kubectl && chmod 0755 /usr/local/bin/kubectl";

function findKubectl(): string {
  const named = process.env["SKOPOS_KUBECTL"];
  const places = (process.env["PATH"] ?? "").split(delimiter).map((dir) => join(dir, "kubectl"));
  const candidates = named === undefined || named === "" ? places : [named];
  const found = candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found !== undefined) return found;
  throw new Error(
    `these tests run the real kubectl, which was not found (${candidates.length} places looked at). Install it with\n  ${installCommand}\nor point SKOPOS_KUBECTL at one.`,
  );
}

type Result = { code: number; stdout: string; stderr: string };

let api: KubeApi;
let directory: string;
let base: string[];
let binary: string;
let node: TestNode;
let detach: () => void;
const failures: string[] = [];

/** Runs kubectl in namespace shop; resolves whatever its exit code. */
function run(...args: string[]): Promise<Result> {
  return new Promise((resolve) => {
    const options = { timeout: 20_000, env: { ...process.env, KUBECONFIG: "/dev/null" } };
    execFile(binary, [...base, ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

async function kubectl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args);
  expect(code, `kubectl ${args.join(" ")}: ${stderr}${stdout}`).toBe(0);
  return stdout;
}

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const manifest = (image: string, replicas = 3) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop, labels: {app: cart}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart, version: v1}}
    spec:
      containers:
      - name: app
        image: ${image}
        env: [{name: POOL, value: "10"}, {name: MODE, value: fast}]
        ports: [{containerPort: 80, name: http}]
        resources: {requests: {cpu: 100m, memory: 64Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec:
  selector: {app: cart}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart, namespace: shop}
spec:
  host: cart
  trafficPolicy: {connectionPool: {tcp: {maxConnections: 10}}}
`;

beforeAll(async () => {
  binary = findKubectl();
  directory = mkdtempSync(join(tmpdir(), "skopos-kubectl-"));
  node = new TestNode();
  api = createKubeApi({ clock: systemClock, nodeAgent: node, log: (text) => failures.push(text) });
  detach = node.attach(api);
  const { url } = await api.listen(0, "127.0.0.1");
  base = ["--server", url, "--cache-dir", join(directory, "cache"), "--namespace", "shop"];
  api.store.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
  await kubectl("apply", "-f", file("app.yaml", manifest("cart:1")));
  await kubectl("rollout", "status", "deploy/cart", "--timeout=15s");
});

afterAll(async () => {
  detach();
  await api.close();
  rmSync(directory, { recursive: true, force: true });
  expect(failures).toEqual([]);
});

describe("kubectl reads", () => {
  it("shows wide tables of several kinds at once", async () => {
    const out = await kubectl("get", "pods,deploy,svc,destinationrules", "-o", "wide");
    expect(out).toMatch(/^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE/m);
    expect(
      out.match(/^pod\/cart-\S+ +1\/1 +Running +0 +\S+ +10\.244\.0\.\d+ +skopos-lab/gm),
    ).toHaveLength(3);
    expect(out).toMatch(/^deployment\.apps\/cart +3\/3 +3 +3 +\S+ +app +cart:1 +app=cart$/m);
    expect(out).toMatch(/^service\/cart +ClusterIP +10\.96\.\S+ +<none> +80\/TCP +\S+ +app=cart$/m);
    expect(out).toMatch(/^destinationrule\.networking\.istio\.io\/cart +cart +\S+$/m);
  });

  it("selects by label and field, and prints json, yaml, jsonpath and names", async () => {
    expect(await kubectl("get", "pods", "-l", "version notin (v1)", "-o", "name")).toBe("");
    const running = "--field-selector=status.phase=Running,spec.nodeName=skopos-lab";
    const names = await kubectl("get", "pods", "-l", "app=cart", running, "-o", "name");
    expect(names.trim().split("\n")).toHaveLength(3);
    const json = JSON.parse(await kubectl("get", "deploy", "cart", "-o", "json")) as {
      spec: { strategy: unknown; revisionHistoryLimit: number };
    };
    expect(json.spec.strategy).toEqual({
      type: "RollingUpdate",
      rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" },
    });
    const path = "{.spec.template.spec.containers[0].image}";
    expect(await kubectl("get", "deploy", "cart", "-o", `jsonpath=${path}`)).toBe("cart:1");
    expect(await kubectl("get", "svc", "cart", "-o", "yaml")).toContain("clusterIP: 10.96.");
  });

  it("describes deployments, pods, services and destination rules", async () => {
    const deployment = await kubectl("describe", "deploy", "cart");
    expect(deployment).toMatch(/3 desired \| 3 updated \| 3 total \| 3 available \| 0 unavailable/);
    expect(deployment).toMatch(/ScalingReplicaSet .*Scaled up replica set cart-\w+ from 0 to 3/);
    expect(await kubectl("describe", "pod", "-l", "app=cart")).toMatch(
      /Normal +Scheduled .*Successfully assigned shop\/cart-/,
    );
    expect(await kubectl("describe", "svc", "cart")).toMatch(
      /Endpoints: +(10\.244\.0\.\d+:80,?){3}/,
    );
    expect(await kubectl("describe", "destinationrule", "cart")).toContain("Max Connections:  10");
  });

  it("shows logs, usage, events, nodes and what kinds there are", async () => {
    expect(await kubectl("logs", "deploy/cart", "--tail=2")).toBe("request 1\nrequest 2\n");
    const top = await kubectl("top", "pods");
    expect(top.match(/^cart-\S+ +25m +40Mi/gm)).toHaveLength(3);
    expect(await kubectl("top", "nodes")).toMatch(/^skopos-lab +75m +1% +120Mi +1%/m);
    expect(await kubectl("get", "events")).toMatch(/Normal +SuccessfulCreate +replicaset\/cart-/);
    expect(await kubectl("get", "nodes")).toMatch(
      /^skopos-lab +Ready +control-plane +\S+ +v1\.32/m,
    );
    expect(await kubectl("api-resources")).toMatch(
      /^destinationrules +dr +networking\.istio\.io\/v1 +true/m,
    );
    expect(await kubectl("explain", "deploy.spec.strategy")).toContain("rollingUpdate");
    expect(await kubectl("version", "-o", "json")).toContain('"gitVersion": "v1.32');
  });

  it("names what is missing and exits with an error", async () => {
    const missing = await run("get", "deploy", "nope");
    expect(missing.code).toBe(1);
    expect(missing.stderr).toBe(
      'Error from server (NotFound): deployments.apps "nope" not found\n',
    );
    const unknown = await run("get", "widgets");
    expect(unknown.stderr).toContain(`the server doesn't have a resource type "widgets"`);
  });

  it("follows logs until the reader leaves", async () => {
    const follow = spawn(binary, [...base, "logs", "deploy/cart", "-f"], {
      env: { ...process.env, KUBECONFIG: "/dev/null" },
    });
    try {
      const lines = createInterface({ input: follow.stdout })[Symbol.asyncIterator]();
      for (const line of ["app is listening", "request 1", "request 2"]) {
        expect((await lines.next()).value).toBe(line);
      }
      node.output.emit("line", "request 3");
      expect((await lines.next()).value).toBe("request 3");
      const left = once(node.output, "unfollowed");
      follow.kill("SIGKILL");
      await left;
    } finally {
      follow.kill("SIGKILL");
    }
  });

  it("follows changes with get --watch", async () => {
    const watch = spawn(binary, [...base, "get", "cm", "-w", "-o", "wide"], {
      env: { ...process.env, KUBECONFIG: "/dev/null" },
    });
    try {
      const lines = createInterface({ input: watch.stdout })[Symbol.asyncIterator]();
      const metadata = { name: "seen", namespace: "shop" };
      api.store.create({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { a: "1" } });
      expect((await lines.next()).value).toMatch(/^NAME +DATA +AGE$/);
      expect((await lines.next()).value).toMatch(/^seen +1 +\d+s$/);
      api.store.patch("ConfigMap", "shop", "seen", "merge", { data: { b: "2" } });
      expect((await lines.next()).value).toMatch(/^seen +2 +\d+s$/);
    } finally {
      watch.kill("SIGKILL");
    }
  });
});

describe("kubectl writes", () => {
  it("applies only what changed, and shows the difference beforehand", async () => {
    const unchanged = await kubectl("apply", "-f", file("app.yaml", manifest("cart:1")));
    expect(unchanged).toMatch(/deployment\.apps\/cart unchanged\n.*\n.*cart unchanged/);
    const changed = file("changed.yaml", manifest("cart:2"));
    const difference = await run("diff", "-f", changed);
    expect(difference.code).toBe(1);
    expect(difference.stdout).toMatch(/^-\s+image: cart:1\n\+\s+image: cart:2$/m);
    const dry = await kubectl("apply", "--dry-run=server", "-f", changed);
    expect(dry).toContain("deployment.apps/cart configured (server dry run)");
    const path = "jsonpath={.spec.template.spec.containers[0].image}";
    expect(await kubectl("get", "deploy", "cart", "-o", path)).toBe("cart:1");
  });

  it("rolls out, tells the history, undoes, pauses, resumes and restarts", async () => {
    await kubectl("apply", "-f", file("changed.yaml", manifest("cart:2")));
    await kubectl("annotate", "deploy", "cart", "kubernetes.io/change-cause=second image");
    await kubectl("rollout", "status", "deploy/cart", "--timeout=15s");
    expect(await kubectl("rollout", "history", "deploy/cart")).toMatch(
      /1 +<none>\n2 +second image/,
    );
    expect(await kubectl("rollout", "history", "deploy/cart", "--revision=2")).toContain("cart:2");
    await kubectl("rollout", "undo", "deploy/cart");
    await kubectl("rollout", "status", "deploy/cart", "--timeout=15s");
    const images = await kubectl(
      "get",
      "pods",
      "-o",
      "jsonpath={.items[*].spec.containers[0].image}",
    );
    expect(new Set(images.split(" "))).toEqual(new Set(["cart:1"]));
    await kubectl("rollout", "pause", "deploy/cart");
    await kubectl("rollout", "resume", "deploy/cart");
    await kubectl("rollout", "restart", "deploy/cart");
    await kubectl("rollout", "status", "deploy/cart", "--timeout=15s");
    expect(await kubectl("rollout", "history", "deploy/cart")).toMatch(/^4 /m);
  });

  it("patches in three ways, and custom resources in two", async () => {
    const env = "jsonpath={.spec.template.spec.containers[0].env}";
    await kubectl(
      "patch",
      "deploy",
      "cart",
      "-p",
      '{"spec":{"template":{"spec":{"containers":[{"name":"app","env":[{"name":"POOL","value":"2"}]}]}}}}',
    );
    expect(JSON.parse(await kubectl("get", "deploy", "cart", "-o", env))).toEqual([
      { name: "POOL", value: "2" },
      { name: "MODE", value: "fast" },
    ]);
    const replace =
      '[{"op":"replace","path":"/spec/template/spec/containers/0/env/0/value","value":"10"}]';
    await kubectl("patch", "deploy", "cart", "--type=json", "-p", replace);
    const pool =
      '{"spec":{"trafficPolicy":{"connectionPool":{"http":{"http1MaxPendingRequests":1}}}}}';
    await kubectl("patch", "dr", "cart", "--type=merge", "-p", pool);
    expect(api.store.get("DestinationRule", "shop", "cart")?.["spec"]).toEqual({
      host: "cart",
      trafficPolicy: {
        connectionPool: { tcp: { maxConnections: 10 }, http: { http1MaxPendingRequests: 1 } },
      },
    });
    expect((await run("patch", "dr", "cart", "-p", pool)).stderr).toContain(
      "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
    );
  });

  it("scales, waits, labels, annotates, sets images and deletes", async () => {
    await kubectl("scale", "deploy/cart", "--replicas=4");
    await kubectl("rollout", "status", "deploy/cart", "--timeout=15s");
    await kubectl("wait", "--for=condition=Available", "deploy/cart", "--timeout=15s");
    expect(await kubectl("label", "deploy", "cart", "tier=front")).toContain("labeled");
    expect(await kubectl("annotate", "deploy", "cart", "note=x")).toContain("annotated");
    expect(await kubectl("set", "image", "deploy/cart", "app=cart:3")).toContain("image updated");
    await kubectl("rollout", "status", "deploy/cart", "--timeout=15s");
    expect(await kubectl("delete", "dr", "cart")).toContain('"cart" deleted');
    expect(await kubectl("delete", "pods", "-l", "app=cart")).toContain("deleted");
    await kubectl("delete", "deploy", "cart", "--cascade=foreground", "--timeout=15s");
    expect(await kubectl("get", "pods,rs", "-o", "name")).toBe("");
  });

  it("creates typed objects from the command line", async () => {
    expect(await kubectl("create", "namespace", "side")).toBe("namespace/side created\n");
    await kubectl("create", "configmap", "settings", "--from-literal=pool=4");
    expect(await kubectl("get", "cm", "settings", "-o", "jsonpath={.data.pool}")).toBe("4");
    await kubectl("create", "deployment", "web", "--image=web:1", "--replicas=2", "--port=80");
    await kubectl("rollout", "status", "deploy/web", "--timeout=15s");
    await kubectl("expose", "deploy", "web", "--port=80");
    expect(await kubectl("auth", "can-i", "delete", "pods")).toBe("yes\n");
    await kubectl("delete", "deploy,svc", "web");
    await kubectl("delete", "namespace", "side", "--timeout=15s");
  });

  it("applies on the server side, with conflicts over fields others own", async () => {
    const mine = file("mine.yaml", manifest("cart:1"));
    const theirs = file("theirs.yaml", manifest("cart:9", 2));
    await kubectl("apply", "--server-side", "--field-manager=mine", "-f", mine);
    const refused = await run("apply", "--server-side", "--field-manager=theirs", "-f", theirs);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /Apply failed with 2 conflicts: conflicts with "mine":\n- \.spec\.replicas\n- \.spec\.template\.spec\.containers\[name="app"\]\.image/,
    );
    const force = ["apply", "--server-side", "--force-conflicts", "--field-manager=theirs"];
    await kubectl(...force, "-f", theirs);
    const path = "jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image}";
    expect(await kubectl("get", "deploy", "cart", "-o", path)).toBe("2 cart:9");
  });

  it("refuses what does not fit, in the server's words", async () => {
    const negative = await run(
      "patch",
      "deploy",
      "cart",
      "--type=merge",
      "-p",
      '{"spec":{"replicas":-1}}',
    );
    expect(negative.stderr).toBe(
      'The Deployment "cart" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0\n',
    );
    const typo = file("typo.yaml", manifest("cart:1").replace("image:", "imagee:"));
    expect((await run("apply", "-f", typo)).stderr).toContain(
      'unknown field "spec.template.spec.containers[0].imagee"',
    );
  });
});
