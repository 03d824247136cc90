/** All hunts, as a table. */

import { type Hunt, hunt } from "./hunt.ts";
import type { Mutant } from "./mutant.ts";

/** Returns whether every mutant was caught. */
export async function huntAll(
  mutants: readonly Mutant[],
  workers: number,
  print: (line: string) => void,
): Promise<boolean> {
  print("| mutant | seeds | caught as | replay |");
  print("| ------ | ----- | --------- | ------ |");
  const waiting = [...mutants];
  let areAllCaught = true;
  const work = async () => {
    for (;;) {
      const mutant = waiting.shift();
      if (mutant === undefined) return;
      const result = await hunt(mutant, { from: 1, count: mutant.seedsMax });
      areAllCaught &&= result.caught !== null;
      print(row(mutant, result));
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  print(areAllCaught ? `all ${mutants.length} caught` : "NOT ALL CAUGHT");
  return areAllCaught;
}

function row({ id, breaks }: Mutant, { seeds, caught, others }: Hunt): string {
  if (caught === null) {
    const seen = others.length === 0 ? "nothing" : others.slice(0, 3).join("; ");
    return `| ${breaks} | ${seeds} | **not caught**; seen: ${seen} | |`;
  }
  const replay = `--mutant ${id} --seed ${caught.seed}`;
  return `| ${breaks} | ${seeds} | ${caught.property} | \`${replay}\` |`;
}
