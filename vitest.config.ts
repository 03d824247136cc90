import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // Real processes and real fsync on small machines: limits are generous, waits are on conditions.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 30_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/bad-input/**", "test/interop/**"],
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: [
            "test/e2e/**/*.test.ts",
            "test/bad-input/**/*.test.ts",
            "test/interop/**/*.test.ts",
          ],
          // Each test is a cluster that wants the machine for itself: one after the other, after all else.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
