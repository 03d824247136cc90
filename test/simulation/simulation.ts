/** One seed, from its plan to its end. */

import { Calm, type Recovery } from "./calm.ts";
import { LeaderAppendOnly } from "./checkers/append-only.ts";
import { Checkers } from "./checkers/checkers.ts";
import { CommitNotices } from "./checkers/commit-notices.ts";
import { Commits } from "./checkers/commits.ts";
import { Deliveries } from "./checkers/deliveries.ts";
import { HandOvers } from "./checkers/hand-overs.ts";
import { InFlight } from "./checkers/in-flight.ts";
import { LeaderCompleteness } from "./checkers/leader-completeness.ts";
import { Leases } from "./checkers/leases.ts";
import { Ledger } from "./checkers/ledger.ts";
import { LogMatching } from "./checkers/log-matching.ts";
import { Matches } from "./checkers/matches.ts";
import { OneEntryABlock } from "./checkers/one-entry-a-block.ts";
import { OneLeader } from "./checkers/one-leader.ts";
import { PreVotes } from "./checkers/pre-votes.ts";
import { Promises } from "./checkers/promises.ts";
import { Proposals } from "./checkers/proposals.ts";
import { QuorumChecks } from "./checkers/quorum-checks.ts";
import { ReadyLead } from "./checkers/readiness.ts";
import { Reads } from "./checkers/reads.ts";
import { Clients } from "./clients.ts";
import { Cluster } from "./cluster.ts";
import { Coverage } from "./coverage.ts";
import { Dice } from "./dice.ts";
import { FaultTape } from "./fault-tape.ts";
import { Faults } from "./faults.ts";
import { type Parts, soundParts } from "./parts.ts";
import { Payloads } from "./payloads.ts";
import { type Plan, planOf } from "./plan.ts";
import { Schedule } from "./schedule.ts";
import { Transcript } from "./transcript.ts";
import { type Violation, violationOf } from "./violation.ts";
import type { World } from "./world.ts";

export interface SimulationOptions {
  readonly parts?: Parts;
  /** Instead of the one that follows from the seed. */
  readonly plan?: Plan;
  /** Only faults of these names happen; all of them if absent. */
  readonly faults?: ReadonlySet<string>;
  /** Hears every event, one line each. */
  readonly onLine?: (line: string) => void;
}

export interface SimulationResult {
  readonly seed: number;
  readonly steps: number;
  readonly simulatedMs: number;
  readonly violation: Violation | null;
  readonly coverage: Coverage;
  /** The faults that happened, by name. */
  readonly faults: readonly string[];
  /** The longest that a healed majority took, as a share of what it may take (`patienceMs`). */
  readonly recoveryShare: number;
  /** The longest that a sound one took to have a leader and to commit, as a share of what that may take. */
  readonly failoverShare: number;
}

export function simulate(seed: number, options: SimulationOptions = {}): SimulationResult {
  const simulation = new Simulation(seed, options);
  while (simulation.step());
  return simulation.result;
}

/** A seed that is played event by event. */
export class Simulation {
  readonly #seed: number;
  readonly #world: World;
  readonly #coverage = new Coverage();
  readonly #playing: Generator<void, Recovery>;
  #slowest: Recovery = { recoveryShare: 0, failoverShare: 0 };
  #violation: Violation | null = null;

  constructor(seed: number, options: SimulationOptions = {}) {
    const plan = options.plan ?? planOf(seed);
    const schedule = new Schedule();
    const transcript = new Transcript(schedule, options.onLine ?? null);
    this.#seed = seed;
    this.#world = {
      plan,
      conditions: plan.chaos,
      dice: new Dice(plan.seed),
      schedule,
      transcript,
      tape: new FaultTape(options.faults ?? null, transcript),
      checkers: new Checkers(),
      payloads: new Payloads(),
      violation: null,
    };
    this.#playing = play(this.#world, this.#coverage, options.parts ?? soundParts);
  }

  /** Lets the next event happen; false once the seed is over. */
  step(): boolean {
    if (this.#violation !== null) return false;
    try {
      const { done, value } = this.#playing.next();
      if (done === true) this.#slowest = value;
      return done !== true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  /** Takes in a violation that was found after the event itself, in promises that it has fulfilled. */
  settle(): void {
    if (this.#violation === null && this.#world.violation !== null) {
      this.#fail(this.#world.violation);
    }
  }

  get result(): SimulationResult {
    const { schedule, tape } = this.#world;
    return {
      seed: this.#seed,
      steps: schedule.steps,
      simulatedMs: schedule.nowMs,
      violation: this.#violation,
      coverage: this.#coverage,
      faults: tape.names,
      ...this.#slowest,
    };
  }

  #fail(error: unknown): void {
    this.#violation = violationOf(error);
    this.#world.transcript.note("FAILED", () => this.#violation?.message ?? "");
  }
}

/** Yields after each event; returns the worst of its recoveries. */
function* play(world: World, coverage: Coverage, parts: Parts): Generator<void, Recovery> {
  const { plan, schedule, transcript } = world;
  transcript.note("plan", () => JSON.stringify(plan));
  const cluster = new Cluster(parts, world);
  const checks = watch(world, cluster, coverage, parts);
  const clients = new Clients(cluster, world);
  const faults = new Faults(cluster, world);
  world.checkers.add(faults);
  const calm = new Calm(cluster, clients, checks, world);
  cluster.start();
  let slowest: Recovery = { recoveryShare: 0, failoverShare: 0 };
  for (let round = 0; round < plan.rounds; round++) {
    transcript.note("chaos", () => `round ${round + 1}`);
    world.conditions = plan.chaos;
    clients.begin();
    faults.begin();
    const untilMs = schedule.nowMs + plan.chaosMs;
    while (schedule.step(untilMs)) yield;
    faults.end();
    const { recoveryShare, failoverShare } = yield* calm.run();
    slowest = {
      recoveryShare: Math.max(slowest.recoveryShare, recoveryShare),
      failoverShare: Math.max(slowest.failoverShare, failoverShare),
    };
    world.checkers.judge();
    faults.end();
    cluster.release();
  }
  return slowest;
}

function watch(world: World, cluster: Cluster, coverage: Coverage, parts: Parts) {
  const { plan, payloads, checkers, schedule } = world;
  const { nodes } = cluster;
  const ledger = new Ledger(payloads);
  const reads = new Reads(ledger);
  const proposals = new Proposals(ledger, payloads);
  const leases = new Leases(plan, nodes, schedule);
  checkers.add(
    new Commits(ledger, nodes), // first: the others rely on the ledger
    new LeaderAppendOnly(),
    new LogMatching(plan),
    new OneLeader(),
    new LeaderCompleteness(ledger),
    new Promises(),
    new Deliveries(ledger),
    reads,
    proposals,
    leases,
    new OneEntryABlock(plan, payloads),
    new ReadyLead(plan),
    new Matches(plan),
    new PreVotes(plan),
    new QuorumChecks(plan),
    new HandOvers(nodes),
    new CommitNotices(plan),
    new InFlight(),
    ...parts.checkers({ cluster, world, ledger, leases }),
    coverage,
    cluster,
  );
  return { ledger, reads, proposals };
}
