/** So many inputs, shared out over decoders. */

import type { Task } from "./campaign.ts";
import type { Target } from "./target.ts";

export function tasksOf(targets: readonly Target[], inputs: number): readonly Task[] {
  const shares = targets.reduce((sum, { share = 1 }) => sum + share, 0);
  return targets.map(({ name, share = 1 }) => ({
    target: name,
    from: 0,
    count: Math.max(1, Math.ceil((inputs * share) / shares)),
  }));
}
