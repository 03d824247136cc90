/** What the simulator's command line asks for. */

import { parseArgs } from "node:util";
import { mutants } from "./mutants/all.ts";
import type { Mutant } from "./mutants/mutant.ts";
import { isTrouble, type Reduction, type Trouble, unreduced } from "./reduction.ts";
import type { SeedRange } from "./seeds.ts";

export const usage = `usage: npm run simulate -- --seed N
       npm run simulate -- --seed N --shrink
       npm run simulate -- --seed N [--nodes N] [--chaos MS] [--without TROUBLE,..] [--faults FAULT,..|none]
       npm run simulate -- --seeds COUNT [--from N] [--workers W] [--wipes] [--coverage] [--twice]
       npm run simulate -- --whole ...
       npm run simulate -- --mutants [--from NTH] [--workers W]
       npm run simulate -- --mutant ID --seed N ...
`;

export type Wish =
  | { readonly kind: "replay"; readonly mutant: Mutant | null; readonly reduction: Reduction }
  | { readonly kind: "shrink"; readonly mutant: Mutant | null; readonly full: Reduction }
  /** `from`: the first of them, in their order. */
  | {
      readonly kind: "mutants";
      readonly from: number;
      readonly workers: number;
      /** Only those that it takes whole nodes to see. */
      readonly areWhole: boolean;
    }
  | (SeedRange & { readonly kind: "many"; readonly showsCoverage: boolean });

/** null if it makes no sense. */
export function readArguments(): Wish | null {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: "string" },
        nodes: { type: "string" },
        chaos: { type: "string" },
        without: { type: "string" },
        faults: { type: "string" },
        shrink: { type: "boolean", default: false },
        seeds: { type: "string" },
        from: { type: "string", default: "1" },
        workers: { type: "string", default: "1" },
        wipes: { type: "boolean", default: false },
        coverage: { type: "boolean", default: false },
        twice: { type: "boolean", default: false },
        whole: { type: "boolean", default: false },
        mutants: { type: "boolean", default: false },
        mutant: { type: "string" },
      },
    });
    const workers = Math.max(1, count(values.workers));
    if (values.mutants) {
      return { kind: "mutants", from: count(values.from), workers, areWhole: values.whole };
    }
    if (values.seeds !== undefined) {
      const { wipes: wipesOnly, coverage: showsCoverage } = values;
      const { whole: isWhole, twice: isTwice } = values;
      const [from, seeds] = [count(values.from), count(values.seeds)];
      const range = { from, count: seeds, workers, wipesOnly, isWhole, isTwice };
      return { kind: "many", ...range, showsCoverage };
    }
    const mutant = values.mutant === undefined ? null : mutantOf(values.mutant);
    const seed = count(values.seed);
    const isWhole = mutant?.isWhole ?? values.whole;
    if (values.shrink) return { kind: "shrink", mutant, full: unreduced(seed, { isWhole }) };
    const reduction: Reduction = {
      seed,
      isWhole,
      nodes: values.nodes === undefined ? null : Math.max(1, count(values.nodes)),
      chaosMs: values.chaos === undefined ? null : count(values.chaos),
      without: (values.without ?? "").split(",").filter(Boolean).map(troubleOf),
      faults: values.faults === undefined ? null : faultsOf(values.faults),
    };
    return { kind: "replay", mutant, reduction };
  } catch {
    return null;
  }
}

function count(text: string | undefined): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new RangeError(`${text} is no count`);
}

function mutantOf(name: string): Mutant {
  const mutant = mutants.find(({ id }) => id === name);
  if (mutant === undefined) throw new RangeError(`${name} is no mutant`);
  return mutant;
}

function troubleOf(name: string): Trouble {
  if (isTrouble(name)) return name;
  throw new RangeError(`${name} is no trouble`);
}

function faultsOf(names: string): readonly string[] {
  return names === "none" ? [] : names.split(",");
}
