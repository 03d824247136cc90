/** So many inputs, shared out over decoders. */

import type { Task } from "./campaign.ts";
import type { Target } from "./target.ts";

/** `round`: how often as many have been judged before; each round has inputs of its own. */
export function tasksOf(targets: readonly Target[], inputs: number, round = 0): readonly Task[] {
  const shares = targets.reduce((sum, { share = 1 }) => sum + share, 0);
  return targets.map(({ name, share = 1 }) => {
    const count = Math.max(1, Math.ceil((inputs * share) / shares));
    return { target: name, from: round * count, count };
  });
}
