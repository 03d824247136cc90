/** Breaks things, each kind at its own pace, while it is active. */

import type { RaftEvent } from "../../src/raft/event.ts";
import { majorityOf } from "../../src/raft/quorum.ts";
import type { Checker } from "./checkers/checker.ts";
import type { Cluster } from "./cluster.ts";
import type { Dice } from "./dice.ts";
import type { SimulatedNode } from "./node.ts";
import type { World } from "./world.ts";

export class Faults implements Checker {
  readonly #cluster: Cluster;
  readonly #world: World;
  readonly #dice: Dice;
  #isActive = false;
  /** Counts partitions, so that only the end of the last one mends the links. */
  #partition = 0;
  /** Counts the ends, so that none of what was begun before reaches into the calm. */
  #calm = 0;

  constructor(cluster: Cluster, world: World) {
    this.#cluster = cluster;
    this.#world = world;
    this.#dice = world.dice.fork("faults");
    const { faults } = world.plan;
    this.#every("crash", faults.crashEveryMs, (dice) => this.#crash(dice));
    this.#every("disk-failure", faults.diskFailureEveryMs, (dice) => this.#breakDisk(dice));
    this.#every("pause", faults.pauseEveryMs, (dice) => this.#pause(dice));
    this.#every("partition", faults.partitionEveryMs, (dice) => this.#part(dice));
    this.#every("slow-disk", faults.slowDiskEveryMs, (dice) => this.#slowDisk(dice));
    this.#every("reset", faults.resetEveryMs, (dice) => cluster.network.resetOne(dice));
    this.#every("false-gone", faults.falseGoneEveryMs, (dice) => this.#reportFalsely(dice));
    this.#every("transfer", faults.transferEveryMs, (dice) => this.#transfer(dice));
    this.#every("readiness", faults.readinessEveryMs, (dice) => this.#flipReadiness(dice));
    this.#every("wipe", faults.wipeEveryMs, (dice) => this.#wipe(dice));
    this.#every("full-disk", faults.fullDiskEveryMs, (dice) => this.#fillDisk(dice));
    this.#every("bit-flip", faults.bitFlipEveryMs, (dice) => this.#flipBit(dice));
  }

  begin(): void {
    this.#isActive = true;
  }

  end(): void {
    this.#isActive = false;
    this.#calm++;
    this.#partition++;
    this.#cluster.network.links.mendAll();
    for (const node of this.#cluster.nodes) {
      node.life?.dieAtCall(Number.POSITIVE_INFINITY);
      node.fillDisk(false);
      node.wake();
      node.inspectDisk();
    }
  }

  /** Entries of leaders that reigned for moments make logs differ most. */
  happened(node: SimulatedNode, event: RaftEvent): void {
    if (!this.#isActive || event.kind !== "electionWon") return;
    const name = `short-reign-${event.term}`;
    const dice = this.#dice.fork(name);
    if (!dice.chance(this.#world.plan.faults.shortReignShare)) return;
    if (this.#world.tape.admits(name)) node.life?.dieAtCall(dice.integer(1, 100), "short reign");
  }

  /** Each has a name, times and dice that do not depend on whether the others happen. */
  #every(kind: string, meanMs: number, act: (dice: Dice) => void, count = 1): void {
    if (meanMs === Number.POSITIVE_INFINITY) return;
    const name = `${kind}-${count}`;
    const dice = this.#dice.fork(name);
    this.#world.schedule.after(dice.wait(meanMs), () => {
      if (this.#isActive && this.#world.tape.admits(name)) act(dice);
      this.#every(kind, meanMs, act, count + 1);
    });
  }

  #crash(dice: Dice): void {
    const { plan } = this.#world;
    const { powerLossShare, togetherShare, midStepShare } = plan.faults;
    const up = this.#cluster.nodes.filter((node) => node.isUp);
    const victims = dice.chance(togetherShare)
      ? up.filter(() => dice.chance(0.7))
      : [this.#victim(dice)].filter((node) => node !== null);
    const ending = dice.chance(powerLossShare) ? "power" : "process";
    for (const node of victims) {
      if (dice.chance(midStepShare)) node.life?.dieAtCall(dice.integer(1, 20));
      else node.crash(ending);
    }
  }

  /** Leaders are where it hurts. */
  #victim(dice: Dice): SimulatedNode | null {
    const isLeader = dice.chance(0.5);
    return (isLeader ? this.#cluster.saidLeader() : null) ?? this.#cluster.anyUp(dice);
  }

  /** Up or down, and no more than a minority at a time: more is what nothing can mend (P6). */
  #wipe(dice: Dice): void {
    const { nodes } = this.#cluster;
    const leader = this.#cluster.saidLeader();
    if (leader !== null && dice.chance(0.5)) return this.#wipeTheDecisive(leader, dice);
    const node = dice.chance(0.5) ? this.#victim(dice) : dice.pick(nodes);
    if (node !== null && this.#mayLose(node)) node.wipe(dice.chance(0.5));
  }

  #mayLose(node: SimulatedNode): boolean {
    const { nodes } = this.#cluster;
    const isNoWitness = (other: SimulatedNode) => other.mayLackMemory || other.tookNoPart;
    const lost = nodes.filter((other) => other !== node && isNoWitness(other)).length;
    return lost + 1 <= nodes.length - majorityOf(nodes.length);
  }

  /**
   * What hurts most: just a majority hears the leader, and one of it loses its disk and is then all that
   * connects the others with those who heard nothing of what was committed meanwhile.
   */
  #wipeTheDecisive(leader: SimulatedNode, dice: Dice): void {
    const { schedule, plan } = this.#world;
    const { nodes } = this.#cluster;
    const followers = dice.shuffled(nodes.filter((node) => node !== leader));
    const [decisive] = followers;
    if (decisive === undefined) return;
    const majority = [leader, ...followers.slice(0, majorityOf(nodes.length) - 1)];
    const pairs = majority
      .filter((node) => node !== decisive)
      .flatMap((a) => nodes.filter((b) => !majority.includes(b)).map((b) => [a, b] as const));
    const { electionMs, heartbeatMs } = plan.timeouts;
    this.#cutFor(
      pairs.flatMap(([a, b]) => [[a, b] as const, [b, a] as const]),
      electionMs * dice.between(2, 10),
    );
    const calm = this.#calm;
    schedule.after(heartbeatMs * dice.between(0, 3), () => {
      if (this.#calm === calm && this.#mayLose(decisive)) decisive.wipe(dice.chance(0.5));
    });
  }

  #breakDisk(dice: Dice): void {
    const node = this.#cluster.anyUp(dice);
    if (node === null) return;
    this.#world.transcript.note(node.id, () => "its disk breaks");
    node.life?.disk.breakDown();
  }

  /** Its process ends, and so does each that is started before there is room again. */
  #fillDisk(dice: Dice): void {
    const node = this.#victim(dice);
    if (node === null || node.isDiskFull) return;
    const { low, high } = this.#world.plan.faults.fullDiskMs;
    const calm = this.#calm;
    node.fillDisk(true);
    this.#world.schedule.after(dice.between(low, high), () => {
      if (this.#calm === calm) node.fillDisk(false);
    });
  }

  /** Whose log is damaged loses it sooner or later, and counts among the wiped from now on. */
  #flipBit(dice: Dice): void {
    const node = dice.chance(0.5) ? this.#victim(dice) : dice.pick(this.#cluster.nodes);
    if (node !== null && this.#mayLose(node)) node.flipBit(dice);
  }

  #pause(dice: Dice): void {
    const node = this.#victim(dice);
    if (node === null || !node.isAwake) return;
    const { life } = node;
    const calm = this.#calm;
    const { low, high } = this.#world.plan.faults.pauseMs;
    node.sleep();
    this.#world.schedule.after(dice.between(low, high), () => {
      if (node.life === life && this.#calm === calm) node.wake();
    });
  }

  #part(dice: Dice): void {
    const { low, high } = this.#world.plan.faults.partitionMs;
    this.#cutFor(this.#cuts(dice), dice.between(low, high));
  }

  #cutFor(cuts: readonly (readonly [SimulatedNode, SimulatedNode])[], forMs: number): void {
    const { schedule, transcript } = this.#world;
    const { links } = this.#cluster.network;
    const partition = ++this.#partition;
    links.mendAll();
    for (const [from, to] of cuts) links.cut(from.id, to.id);
    transcript.note("network", () => `cuts ${cuts.map(([a, b]) => `${a.id}>${b.id}`).join(" ")}`);
    schedule.after(forMs, () => {
      if (partition !== this.#partition) return;
      transcript.note("network", () => "mends");
      links.mendAll();
    });
  }

  /** Two groups, one node alone, one direction only, or whatever. */
  #cuts(dice: Dice): readonly (readonly [SimulatedNode, SimulatedNode])[] {
    const { nodes } = this.#cluster;
    const pairs = nodes.flatMap((a) => nodes.filter((b) => b !== a).map((b) => [a, b] as const));
    const alone = this.#victim(dice) ?? dice.pick(nodes);
    switch (dice.integer(0, 5)) {
      case 0: {
        const group = new Set(nodes.filter(() => dice.chance(0.5)));
        return pairs.filter(([a, b]) => group.has(a) !== group.has(b));
      }
      case 1:
        return pairs.filter(([a, b]) => a === alone || b === alone);
      case 4: {
        // With one companion, who then has entries that no majority has.
        const group = new Set([alone, dice.pick(nodes)]);
        return pairs.filter(([a, b]) => group.has(a) !== group.has(b));
      }
      case 2:
        return pairs.filter(([a]) => a === alone);
      case 3:
        return pairs.filter(([, b]) => b === alone);
      default:
        return pairs.filter(() => dice.chance(0.3));
    }
  }

  #slowDisk(dice: Dice): void {
    const { transcript, plan } = this.#world;
    const node = this.#victim(dice);
    if (node === null) return;
    transcript.note(node.id, () => "its disk is slow");
    node.life?.disk.slowDown(plan.timeouts.heartbeatMs * dice.between(0.5, 6));
  }

  #reportFalsely(dice: Dice): void {
    const node = this.#cluster.anyUp(dice);
    const leader = this.#cluster.saidLeader();
    if (node === null || leader === null) return;
    const wasHeard = node.status?.leaderId === leader.id;
    node.life?.processGone(leader.id);
    const isHeard = node.status?.leaderId === leader.id;
    if (wasHeard && !isHeard) this.#world.checkers.disturbed("gone told falsely");
  }

  #transfer(dice: Dice): void {
    const { transcript } = this.#world;
    const leader = this.#cluster.saidLeader();
    if (leader === null) return;
    const targetId = dice.chance(0.5) ? null : dice.pick(this.#cluster.nodes).id;
    const { life } = leader;
    life?.run("io", () => {
      transcript.note(leader.id, () => `is to hand over to ${targetId ?? "anyone"}`);
      life.driver?.transferLeadership(targetId);
    });
  }

  #flipReadiness(dice: Dice): void {
    const node = dice.pick(this.#cluster.nodes);
    node.setReadiness({
      isReady: !node.readiness.isReady,
      appliedHeight: node.saved.index,
      priority: dice.integer(0, 2),
    });
  }
}
