/**
 * Whether clients could tell a register that is kept by a cluster from a single one (linearizability: Herlihy
 * and Wing 1990). Every write has a value of its own, so it is known which write each read saw, and what
 * Gibbons and Korach (1997) proved decides it without a search. Take a write and the reads of its value:
 *
 *   first end < last begin    the register held the value all the time between them:     |=======|
 *   otherwise                 one moment at which it held the value is enough, in between: |-------|
 *
 * The history is linearizable iff no two of the former overlap, and none of the latter lies within one.
 */

/** A moment; no two are the same. */
export type Moment = number;

export interface Operation {
  readonly kind: "write" | "read";
  /** What was written, or read; 0 is there before any write. */
  readonly value: number;
  /** -Infinity for a read that may be of any time past. */
  readonly beganAt: Moment;
  /** Infinity while nobody knows: a write that was not answered may take effect at any time, or never. */
  readonly endedAt: Moment;
  /** For whoever reads what is wrong. */
  readonly who: string;
}

/** What no single register can have done; null if one can have done it all. */
export function contradiction(operations: readonly Operation[]): string | null {
  const zones: Zone[] = [];
  for (const [value, group] of groupByValue(operations)) {
    const zone = zoneOf(value, group);
    if (typeof zone === "string") return zone;
    if (zone !== null) zones.push(zone);
  }
  const held = zones.filter(({ isHeld }) => isHeld).sort((a, b) => a.from - b.from);
  for (const [at, zone] of held.entries()) {
    const next = held[at + 1];
    if (next !== undefined && next.from < zone.to) return overlap(zone, next);
  }
  for (const zone of zones) {
    if (zone.isHeld) continue;
    // They do not overlap: the last one that begins before this is the only one that can contain it.
    const around = lastBefore(held, zone.from);
    if (around !== null && zone.to < around.to) return overlap(around, zone);
  }
  return null;
}

interface Zone {
  readonly value: number;
  readonly from: Moment;
  readonly to: Moment;
  readonly isHeld: boolean;
  /** The operation that ended first, and the one that began last. */
  readonly first: Operation;
  readonly last: Operation;
}

const initialWrite: Operation = {
  kind: "write",
  value: 0,
  beganAt: Number.NEGATIVE_INFINITY,
  endedAt: Number.NEGATIVE_INFINITY,
  who: "nobody",
};

function groupByValue(operations: readonly Operation[]): ReadonlyMap<number, Operation[]> {
  const groups = new Map<number, Operation[]>([[0, [initialWrite]]]);
  for (const operation of operations) {
    const group = groups.get(operation.value) ?? [];
    group.push(operation);
    groups.set(operation.value, group);
  }
  return groups;
}

/** null for a write without effect, as far as anybody knows. */
function zoneOf(value: number, group: readonly Operation[]): Zone | string | null {
  const write = group.find(({ kind }) => kind === "write");
  if (write === undefined) return `${describe(group[0])} what nobody wrote`;
  if (group.length === 1 && write.endedAt === Number.POSITIVE_INFINITY) return null;
  const [first, last] = group.reduce(
    ([ended, began], operation) => [
      operation.endedAt < ended.endedAt ? operation : ended,
      operation.beganAt > began.beganAt ? operation : began,
    ],
    [write, write],
  );
  // A read that ended first had ended before its value was written, unless the write was under way.
  if (first.endedAt < write.beganAt) return `${describe(first)} what was written later`;
  const isHeld = first.endedAt < last.beganAt;
  const [from, to] = isHeld ? [first.endedAt, last.beganAt] : [last.beganAt, first.endedAt];
  return { value, from, to, isHeld, first, last };
}

function lastBefore(held: readonly Zone[], moment: Moment): Zone | null {
  let low = 0;
  let high = held.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((held[middle]?.from ?? Number.POSITIVE_INFINITY) < moment) low = middle + 1;
    else high = middle;
  }
  return held[low - 1] ?? null;
}

function overlap(held: Zone, other: Zone): string {
  return (
    `${held.value} was there from ${held.from} (${describe(held.first)}) ` +
    `to ${held.to} (${describe(held.last)}), and yet ${describe(other.first)}, and ${describe(other.last)}`
  );
}

function describe(operation: Operation | undefined): string {
  if (operation === undefined) return "nothing";
  const { kind, value, beganAt, endedAt, who } = operation;
  return `${who} ${kind === "read" ? "reads" : "writes"} ${value} within ${beganAt}..${endedAt}`;
}
