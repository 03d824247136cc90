/** A seed with less in it: fewer nodes, faults and troubles, a shorter time. What a failing one is shrunk to. */

import { stateBytes } from "./applied-state.ts";
import { type Plan, planOf, wholePlanOf } from "./plan.ts";

export interface Reduction {
  readonly seed: number;
  /** Of whole nodes, and not of cores and drivers only. */
  readonly isWhole: boolean;
  /** null: as many as the seed says. */
  readonly nodes: number | null;
  /** null: as long as the seed says, and as often. */
  readonly chaosMs: number | null;
  readonly without: readonly Trouble[];
  /** The only faults that happen; null for all of the seed. */
  readonly faults: readonly string[] | null;
}

/** What a plan can do without, each by itself. */
const troubles = {
  snapshots: (plan) => ({ ...plan, snapshotEvery: Number.POSITIVE_INFINITY }),
  drift: (plan) => ({ ...plan, clockDrift: 0 }),
  "empty-start": (plan) => ({ ...plan, beginsEmpty: false }),
  "commit-notices": (plan) => ({ ...plan, commitNoticeMs: 0 }),
  "big-snapshots": (plan) => ({ ...plan, snapshotBytes: stateBytes }),
  delays: (plan) => withNetwork(plan, { delayRate: 0 }),
  losses: (plan) => withNetwork(plan, { lossRate: 0 }),
  duplicates: (plan) => withNetwork(plan, { duplicateRate: 0 }),
  "late-arrivals": (plan) => withNetwork(plan, { lateRate: 0 }),
  refusals: (plan) => withNetwork(plan, { goneRate: 0 }),
  disorder: (plan) => ({ ...plan, isOrdered: true }),
  stalls: (plan) => ({
    ...plan,
    chaos: { ...plan.chaos, disk: { ...plan.chaos.disk, stallRate: 0 } },
  }),
  reads: (plan) => withClient(plan, { readEveryMs: Number.POSITIVE_INFINITY }),
  strays: (plan) => withClient(plan, { astrayRate: 0, anyLeaderRate: 0 }),
  batches: (plan) => withClient(plan, { batchMax: 1, backlogMax: 1 }),
  payloads: (plan) => withClient(plan, { payloadBytes: { low: 1, high: 10 } }),
  "second-round": (plan) => ({ ...plan, rounds: 1 }),
} satisfies Record<string, (plan: Plan) => Plan>;

export type Trouble = keyof typeof troubles;

export const allTroubles = Object.keys(troubles) as readonly Trouble[];

export function isTrouble(name: string): name is Trouble {
  return Object.hasOwn(troubles, name);
}

/** All of it. */
export function unreduced(seed: number, { isWhole }: Pick<Reduction, "isWhole">): Reduction {
  return { seed, isWhole, nodes: null, chaosMs: null, without: [], faults: null };
}

export function reducedPlan({ seed, isWhole, nodes, chaosMs, without }: Reduction): Plan {
  const full = isWhole ? wholePlanOf(seed) : planOf(seed);
  const smaller: Plan = {
    ...full,
    clusterSize: nodes ?? full.clusterSize,
    chaosMs: chaosMs ?? full.chaosMs,
  };
  return without.reduce((plan, trouble) => troubles[trouble](plan), smaller);
}

/** As the command line takes it. */
export function argumentsOf({ seed, isWhole, nodes, chaosMs, without, faults }: Reduction): string {
  const parts = [...(isWhole ? ["--whole"] : []), `--seed ${seed}`];
  if (nodes !== null) parts.push(`--nodes ${nodes}`);
  if (chaosMs !== null) parts.push(`--chaos ${chaosMs}`);
  if (without.length > 0) parts.push(`--without ${without.join()}`);
  if (faults !== null) parts.push(`--faults ${faults.length === 0 ? "none" : faults.join()}`);
  return parts.join(" ");
}

function withNetwork(plan: Plan, change: Partial<Plan["chaos"]["network"]>): Plan {
  const { chaos } = plan;
  return { ...plan, chaos: { ...chaos, network: { ...chaos.network, ...change } } };
}

function withClient(plan: Plan, change: Partial<Plan["chaos"]["client"]>): Plan {
  const { chaos } = plan;
  return { ...plan, chaos: { ...chaos, client: { ...chaos.client, ...change } } };
}
