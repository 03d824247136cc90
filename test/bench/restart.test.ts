/**
 * P11: restart costs O(1) in the length of the chain. `npm run bench -- restart` measures a million blocks;
 * here a chain that is fifty times as long may not take much more, whatever else the machine does.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { RestartedNode } from "../../bench/restarted-node.ts";

const directory = mkdtempSync(join(tmpdir(), "evm-restart-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it("P11: neither the time of a start nor its memory grows with the chain", async () => {
  const short = await RestartedNode.create(join(directory, "short"), 300);
  const long = await RestartedNode.create(join(directory, "long"), 15_000);
  await short.restart();
  const restarts = { short: [await short.restart()], long: [await long.restart()] };
  for (let run = 1; run < 5; run++) {
    restarts.short.push(await short.restart());
    restarts.long.push(await long.restart());
  }
  // The least of each: what else the machine does can only add to it.
  const ratioOf = (part: "processorMs" | "residentBytes") =>
    Math.min(...restarts.long.map((restart) => restart[part])) /
    Math.min(...restarts.short.map((restart) => restart[part]));
  // Reading all blocks would take seconds, on top of about one.
  expect(ratioOf("processorMs")).toBeLessThan(1.5);
  expect(ratioOf("residentBytes")).toBeLessThan(1.25);
}, 900_000);
