import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { refusedRuntime } from "../../src/cli/runtime.ts";

it.each(["22.18.0", "22.20.1", "24.0.0", "100.1.0"])("Node %s will do", (version) => {
  expect(refusedRuntime(version, "/usr/bin/node")).toBeNull();
});

it.each(["18.20.4", "20.20.2", "22.17.9"])("Node %s is too old", (version) => {
  expect(refusedRuntime(version, "/usr/bin/node")).toBe(
    `needs Node 22.18 or later, and /usr/bin/node is ${version}: install a newer one, and put it first in PATH`,
  );
});

it("is what package.json says", () => {
  const { engines } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  const oldest = engines.node.replace(">=", "");
  expect(refusedRuntime(`${oldest}.0`, "")).toBeNull();
});
