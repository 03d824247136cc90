/**
 * The simulator's command line.
 *
 *   npm run simulate -- --seed 4711            replays one seed, with every event
 *   npm run simulate -- --seed 4711 --shrink   leaves out of a failing one what it does not need
 *   npm run simulate -- --seeds 1000 --from 1  runs many, and shrinks those that fail;
 *                                              with --wipes only such as are to wipe disks;
 *                                              with --twice each again, to see that it does the same
 *   npm run simulate -- --whole ...            whole nodes: sequencer, block store, execution client
 *   npm run simulate -- --mutants              breaks the product on purpose, and says what notices
 *   npm run simulate -- --mutant ID --seed 17  replays one seed of a product so broken
 */

import { unreachable } from "../../src/base/assert.ts";
import { readArguments, usage, type Wish } from "./arguments.ts";
import { mutants } from "./mutants/all.ts";
import { show } from "./mutants/hunt.ts";
import { huntAll } from "./mutants/table.ts";
import { unreduced } from "./reduction.ts";
import { runSeeds } from "./seeds.ts";
import { print, replay, showShrunk } from "./show.ts";

/** Shrinking takes many simulations, and the first failures mostly have what the others have. */
const shrunkMax = 3;

/** Whether all was as it should be; null if the arguments make no sense. */
async function main(): Promise<boolean | null> {
  const wish = readArguments();
  if (wish === null) return null;
  switch (wish.kind) {
    case "replay":
      if (wish.mutant !== null) return show({ ...wish, mutant: wish.mutant });
      return replay(wish.reduction, null);
    case "shrink":
      if (wish.mutant !== null) return show({ ...wish, mutant: wish.mutant });
      return showShrunk(wish.full, () => null, null);
    case "many":
      return runMany(wish);
    case "mutants":
      return huntAll(
        mutants
          .filter(({ isWhole }) => isWhole || !wish.areWhole)
          .slice(Math.max(0, wish.from - 1)),
        wish.workers,
        print,
      );
    default:
      return unreachable(wish);
  }
}

async function runMany(options: Extract<Wish, { kind: "many" }>): Promise<boolean> {
  const beganMs = performance.now();
  const failing: number[] = [];
  const summary = await runSeeds(options, (failure) => {
    print(`seed ${failure.seed} VIOLATED ${failure.message}`);
    const whole = options.isWhole ? "--whole " : "";
    print(`  at step ${failure.step}; replay: npm run simulate -- ${whole}--seed ${failure.seed}`);
    failing.push(failure.seed);
  });
  const seconds = (performance.now() - beganMs) / 1000;
  print(
    `${summary.seeds} seeds, ${summary.withWipes} with wiped disks, ${summary.failures} failed, ${(summary.seeds / seconds).toFixed(1)} seeds/s, ` +
      `${summary.steps} steps, ${(summary.simulatedMs / 3_600_000).toFixed(2)} simulated hours, ` +
      `slowest recovery ${percent(summary.slowest?.recoveryShare ?? 0)} of its limit (seed ${summary.slowest?.seed ?? "none"}), ` +
      `slowest failover ${percent(summary.slowestFailover?.failoverShare ?? 0)} (seed ${summary.slowestFailover?.seed ?? "none"})`,
  );
  for (const seed of failing.slice(0, shrunkMax)) {
    await showShrunk(unreduced(seed, options), () => null, null);
  }
  if (options.showsCoverage) {
    for (const [what, times] of [...summary.coverage.counts].sort()) print(`  ${what}: ${times}`);
  }
  return summary.failures === 0;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)}%`;
}

const isWell = await main();
if (isWell === null) print(usage);
process.exitCode = isWell === null ? 64 : isWell ? 0 : 1;
