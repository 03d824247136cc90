/** Settings as they were written: one text a key, and where it came from. Not yet read as a value. */

import type { Origin, Problem } from "./problem.ts";
import type { NamedKey } from "./schema.ts";

export interface Setting {
  readonly key: NamedKey;
  readonly text: string;
  readonly origin: Origin;
}

/** What one source says: at most one setting a key, and what is wrong with the source itself. */
export interface Source {
  readonly settings: readonly Setting[];
  readonly problems: readonly Problem[];
}
