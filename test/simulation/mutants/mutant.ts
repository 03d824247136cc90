/** What is broken on purpose, and how that is to show. Types only: nothing of the product is loaded with them. */

import type { Property } from "../violation.ts";

/** One place of the product's source that says something else. `find` stands in the file exactly once. */
export interface Edit {
  /** Below src/. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  /** Short: it is typed to replay. */
  readonly id: string;
  readonly breaks: string;
  /** Of the product's source; none if a part of the simulation is broken instead (mutations.ts). */
  readonly edits: readonly Edit[];
  /** What it breaks: one of them shows. */
  readonly caughtAs: readonly Property[];
  /** The most seeds that it may take until then. */
  readonly seedsMax: number;
  /** Only seeds that are to wipe disks: the others cannot show it. */
  readonly wipesOnly: boolean;
  /** Of what only whole nodes have. */
  readonly isWhole: boolean;
}

/** Most show in a few seeds. Such as take more are not hunted in every test run. */
export const seedsOfATest = 60;

type Described = Pick<Mutant, "id" | "breaks" | "edits" | "caughtAs"> &
  Partial<Pick<Mutant, "seedsMax" | "wipesOnly" | "isWhole">>;

export function mutant(described: Described): Mutant {
  return { seedsMax: seedsOfATest, wipesOnly: false, isWhole: false, ...described };
}
