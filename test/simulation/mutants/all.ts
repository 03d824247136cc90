/** All mutants: of the product's source, and of what the simulation is put together from. */

import { mutations } from "../mutations.ts";
import { electionMutants } from "./elections.ts";
import { lifeMutants } from "./lives.ts";
import type { Mutant } from "./mutant.ts";
import { replicationMutants } from "./replication.ts";
import { wholeMutants } from "./whole-nodes.ts";

/** Of the product itself. */
export const sourceMutants: readonly Mutant[] = [
  ...electionMutants,
  ...replicationMutants,
  ...lifeMutants,
  ...wholeMutants,
];

export const mutants: readonly Mutant[] = [...sourceMutants, ...mutations];
