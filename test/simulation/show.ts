/** One seed, told: every event of it, or the smallest part of it that still fails. */

import { writeSync } from "node:fs";
import type { Parts } from "./parts.ts";
import { argumentsOf, type Reduction } from "./reduction.ts";
import { runReduced, type Size, shrink } from "./shrink.ts";

export function print(line: string): void {
  writeSync(1, `${line}\n`);
}

/** Returns whether it kept its promises. */
export async function replay(reduction: Reduction, parts: Parts | null): Promise<boolean> {
  const { violation, steps, simulatedMs } = await runReduced(reduction, parts, print);
  print(`${steps} steps, ${(simulatedMs / 1000).toFixed(1)} simulated seconds`);
  if (violation !== null) print(`VIOLATED ${violation.message}`);
  return violation === null;
}

/** `mutantId`: what the product is broken by; null if by nothing. Returns whether the seed kept its promises. */
export async function showShrunk(
  full: Reduction,
  parts: () => Parts | null,
  mutantId: string | null,
): Promise<boolean> {
  const shrunk = await shrink(full, parts);
  if (shrunk === null) {
    print(`seed ${full.seed} keeps its promises: there is nothing to shrink`);
    return true;
  }
  const { reduction, violation, before, after, attempts, story } = shrunk;
  const mutant = mutantId === null ? "" : `--mutant ${mutantId} `;
  print(`  shrunk in ${attempts} attempts from ${sizeText(before)} to ${sizeText(after)}:`);
  for (const line of story) print(`  ${line}`);
  print(`  ${violation.message.split("\n", 1).join()}`);
  print(`  replay: npm run simulate -- ${mutant}${argumentsOf(reduction)}`);
  return false;
}

function sizeText({ nodes, faults, steps }: Size): string {
  return `${nodes} nodes, ${faults} faults and ${steps} steps`;
}
