/**
 * Who led from when to when, as the nodes' logs say, and whether a cluster that lost its leader had another in
 * time. One that says it leads and has no block to show for it counts for nothing.
 */

/** From `entering leader state` on. Times are the nodes' own, of one machine. */
export interface Reign {
  readonly nodeId: string;
  readonly beganMs: number;
  /** When it had its first block of its own committed. */
  readonly firstBlockMs: number | null;
  /** When it said that it leads no more; a process that is killed says nothing. */
  readonly endedMs: number | null;
}

/** A leader that leads no more. */
export interface Loss {
  readonly reign: Reign;
  readonly atMs: number;
}

/** What reigns that ended since then lost; and the one that a fault took away, whatever it says of itself. */
export function lossesSince(
  reigns: readonly Reign[],
  sinceMs: number,
  takenAway: Reign | null,
): readonly Loss[] {
  const said = reigns.flatMap((reign) =>
    reign.endedMs === null || reign.endedMs < sinceMs || isSame(reign, takenAway)
      ? []
      : [{ reign, atMs: reign.endedMs }],
  );
  return takenAway === null ? said : [{ reign: takenAway, atMs: sinceMs }, ...said];
}

/** Of the first reign with a block of its own after the lost one; null if there is none yet. */
export function successorMs({ reign }: Loss, reigns: readonly Reign[]): number | null {
  const blocksMs = after(reign, reigns).flatMap(({ firstBlockMs }) => firstBlockMs ?? []);
  return blocksMs.length === 0 ? null : Math.min(...blocksMs);
}

/** Nobody committed a block as a leader within the limit. */
export function isUndetected(loss: Loss, reigns: readonly Reign[], limitMs: number): boolean {
  const foundMs = successorMs(loss, reigns);
  return foundMs === null || foundMs > loss.atMs + limitMs;
}

/** To the next `entering leader state`; null if nobody was elected. */
export function electionMs({ reign, atMs }: Loss, reigns: readonly Reign[]): number | null {
  const next = after(reign, reigns)[0];
  return next === undefined ? null : Math.max(0, next.beganMs - atMs);
}

/** A deposed leader may say so only when another leads already. */
function after(lost: Reign, reigns: readonly Reign[]): readonly Reign[] {
  return reigns.filter(({ beganMs }) => beganMs > lost.beganMs);
}

function isSame(a: Reign, b: Reign | null): boolean {
  return b !== null && a.nodeId === b.nodeId && a.beganMs === b.beganMs;
}
