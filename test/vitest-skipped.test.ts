/** A run of other tests, of which some are skipped. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { repository } from "./deploy/repository.ts";

const folder = mkdtempSync(join(tmpdir(), "skipped-"));
afterAll(() => rmSync(folder, { recursive: true }));

function run(text: string): { readonly status: number | null; readonly stdout: string } {
  writeFileSync(join(folder, "some.test.js"), text);
  const reporter = repository("test/vitest-skipped.ts");
  const vitest = repository("node_modules/vitest/vitest.mjs");
  const args = [vitest, "run", "--globals", `--root=${folder}`, `--reporter=${reporter}`];
  return spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
}

it("the end of a run names what was skipped, a suite as a whole, and does not fail of it", () => {
  const { status, stdout } = run(`
    it("runs", () => {});
    it.skipIf(true)("is durable (needs strace)", () => {});
    describe.skipIf(true)("promtool", () => { it("one", () => {}); it("two", () => {}); });
    describe("a disk", () => { it("runs", () => {}); it.skipIf(true)("is full (needs mounts)", () => {}); });
  `);
  expect(stdout.split("\n")).toEqual([
    "",
    "NOT TESTED HERE. These were skipped; install what they need, and run them:",
    "  some.test.js: a disk > is full (needs mounts)",
    "  some.test.js: is durable (needs strace)",
    "  some.test.js: promtool",
    "",
  ]);
  expect(status).toBe(0);
});

it("where nothing is skipped nothing is said", () => {
  expect(run('it("runs", () => {});')).toMatchObject({ status: 0, stdout: "" });
});
