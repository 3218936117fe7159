import { defineConfig } from "vitest/config";

/** Tests that start the whole program, or a mesh of processes: one at a time, with nothing beside them. */
const program = [
  "test/demo/**/*.test.ts",
  "test/robust/**/*.test.ts",
  "test/prometheus/**/*.test.ts",
  "test/remote/**/*.test.ts",
  "test/soak/**/*.test.ts",
  "test/grafana/**/*.test.ts",
  "apps/lab/src/lab.test.ts",
  "apps/lab/src/lab-*.test.ts",
];

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: "rooms",
          include: [
            "packages/*/src/**/*.test.ts",
            "apps/*/src/**/*.test.ts",
            "apps/web/src/**/*.test.tsx",
            "scripts/**/*.test.ts",
            "bench/**/*.test.ts",
            "conformance/**/*.test.ts",
            "test/**/*.test.ts",
          ],
          exclude: ["node_modules/**", ...program],
        },
      },
      { extends: true, test: { name: "program", include: program, fileParallelism: false } },
    ],
  },
});
