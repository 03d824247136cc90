/** When damaged blocks are fetched again, and when that is given up. */

import { afterEach, expect, it } from "vitest";
import type { Height } from "../../src/block/types.ts";
import { Repairer, type RepairerDependencies } from "../../src/sequencer/repairer.ts";
import { until } from "./fixtures.ts";

const hash = (height: Height) => new Uint8Array(32).fill(height);

/** Damaged blocks, each a run of its own; and peers that have none of them, so that a fetch waits. */
class DamagedStore {
  readonly damagedBlocks = new Map<Height, string>();
  readonly fetched: Height[] = [];

  damagedRun() {
    const height = Math.min(...this.damagedBlocks.keys());
    if (!Number.isFinite(height)) return null;
    return {
      parent: { height: height - 1, hash: hash(height - 1), dataHash: hash(0) },
      target: { height, hash: hash(height), appHash: hash(0) },
    };
  }

  async restore(): Promise<void> {}
}

const running: Repairer[] = [];
afterEach(() => Promise.all(running.splice(0).map((repairer) => repairer.stop())));

function start(
  store: DamagedStore,
  { failures, onDamaged = () => {} }: { failures: unknown[]; onDamaged?: (height: Height) => void },
): void {
  const fetch: RepairerDependencies["fetch"] = (run, signal) => {
    store.fetched.push(run.target.height);
    return {
      [Symbol.asyncIterator]: () => ({
        next: () =>
          new Promise((_resolve, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason), { once: true });
          }),
      }),
    };
  };
  const repairer = new Repairer({
    store,
    fetch,
    onDamaged,
    onRepaired: () => {},
    onFailure: (_name, error) => failures.push(error),
  });
  running.push(repairer);
  repairer.start();
}

it("a block that is pruned while no peer has it holds up no other", async () => {
  const failures: unknown[] = [];
  const store = new DamagedStore();
  store.damagedBlocks.set(3, "does not match its checksum");
  start(store, { failures });
  await until(() => store.fetched.includes(3));
  store.damagedBlocks.set(8, "does not match its checksum");
  store.damagedBlocks.delete(3);
  await until(() => store.fetched.includes(8));
  expect(failures).toEqual([]);
});

it("a block is said to be damaged before it is fetched again, whoever looks first", async () => {
  const said: string[] = [];
  const failures: unknown[] = [];
  const store = new DamagedStore();
  const damagedRun = store.damagedRun.bind(store);
  // Somebody reads the block after the look that tells of damage, and before the one that repairs it.
  store.damagedRun = () => {
    store.damagedBlocks.set(3, "does not match its checksum");
    return damagedRun();
  };
  start(store, {
    failures,
    onDamaged: (height) => said.push(`${height}, when ${store.fetched.length} were fetched`),
  });
  await until(() => store.fetched.includes(3));
  expect(said).toEqual(["3, when 0 were fetched"]);
  expect(failures).toEqual([]);
});
