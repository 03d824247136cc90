/** What happens to one node in a cycle. Each fault ends, and the cluster must then be whole by itself. */

import { sleep } from "../../src/base/task-group.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import type { Dice } from "../simulation/dice.ts";
import { type Disk, whyNoDisk } from "./disk.ts";
import type { LogReader } from "./log-reader.ts";
import type { Network } from "./network.ts";

export const diskFaultNames = ["full-disk", "slow-disk"] as const;
export const faultNames = [
  "kill",
  "term",
  "stop",
  "delay",
  "partition",
  "bandwidth",
  "drop",
  ...diskFaultNames,
] as const;
export type FaultName = (typeof faultNames)[number];

/** Why this user cannot cause it on this machine; null if it can. */
export function whyImpossible(fault: FaultName): string | null {
  if (fault === "full-disk") return whyNoDisk("full");
  return fault === "slow-disk" ? whyNoDisk("slow") : null;
}

export interface Scene {
  readonly victim: LocalNode;
  readonly others: readonly LocalNode[];
  readonly network: Network;
  readonly logs: LogReader;
  readonly diskOf: (node: LocalNode) => Disk;
  readonly dice: Dice;
  /** Longer than an election takes without anything else going wrong. */
  readonly longMs: number;
  readonly start: (node: LocalNode) => Promise<void>;
}

export interface Fault {
  /** Always the leader; otherwise any node, every other time the leader. */
  readonly hitsLeader: boolean;
  /** A leader that it hits cannot go on leading: it lasts until another does, or the time for that is over. */
  readonly deposes: boolean;
  /** Says what it does; throws if the node does not take it as it must. */
  begin(scene: Scene): Promise<string>;
  /** Undoes it. */
  end(scene: Scene): Promise<void>;
}

/** How long a paused or cut-off node stays so, in units of a long time. */
const absences = { low: 0.5, high: 2 };
/** What the HA reference injects, on all of one node's connections. */
const extraMs = { low: 200, high: 500 };
/** Of a way that is narrow: less than blocks and heartbeats need under load, up to more than enough. */
const narrowBytesPerMs = { low: 10, high: 400 };
/** How often the connections of one node are reset. */
const resets = { low: 3, high: 10 };
/** Of a disk that is full: nothing at all, or less than the node needs. */
const leftBytesMax = 48 * 1024 * 1024;
/** Of a disk that is slow: an fsync takes some of them. */
const writesPerSecond = { low: 5, high: 40 };
const restartsInVain = 0.25;
const exitIo = 74;
const exitLimitMs = 60_000;

export const faults: Readonly<Record<FaultName, Fault>> = {
  kill: {
    hitsLeader: true,
    deposes: true,
    async begin({ victim }) {
      victim.signal("SIGKILL");
      await victim.exited;
      return "kill -9";
    },
    end: ({ victim, start }) => start(victim),
  },
  term: {
    hitsLeader: true,
    deposes: true,
    async begin({ victim }) {
      victim.signal("SIGTERM");
      const { code, signal } = await victim.exited;
      if (code !== 0) throw new Error(`after SIGTERM ${victim.id} ended with ${code ?? signal}`);
      return "SIGTERM";
    },
    end: ({ victim, start }) => start(victim),
  },
  stop: {
    hitsLeader: true,
    deposes: true,
    async begin({ victim, dice, longMs }) {
      victim.signal("SIGSTOP");
      const forMs = longMs * dice.between(1, absences.high);
      await sleep(forMs);
      return `SIGSTOP for ${Math.round(forMs)} ms`;
    },
    async end({ victim }) {
      victim.signal("SIGCONT");
    },
  },
  delay: {
    hitsLeader: false,
    deposes: false,
    async begin({ victim, network, dice, longMs }) {
      network.slowDown(victim.id, extraMs);
      await sleep(longMs * dice.between(absences.low, absences.high));
      return `${extraMs.low}-${extraMs.high} ms later, each way`;
    },
    async end({ network }) {
      network.mend();
    },
  },
  partition: {
    hitsLeader: false,
    deposes: true,
    async begin({ victim, others, network, dice, longMs }) {
      const kind = dice.pick(["both ways", "nothing reaches it", "nothing leaves it"]);
      for (const { id } of others) {
        if (kind !== "nothing leaves it") network.cut(id, victim.id);
        if (kind !== "nothing reaches it") network.cut(victim.id, id);
      }
      await sleep(longMs * dice.between(absences.low, absences.high));
      return `cut off: ${kind}`;
    },
    async end({ network }) {
      network.mend();
    },
  },
  bandwidth: {
    hitsLeader: false,
    deposes: false,
    async begin({ victim, network, dice, longMs }) {
      const bytesPerMs = Math.round(dice.magnitude(narrowBytesPerMs.low, narrowBytesPerMs.high));
      network.narrow(victim.id, bytesPerMs);
      await sleep(longMs * dice.between(absences.low, absences.high));
      return `narrow ways, ${bytesPerMs} kB/s each`;
    },
    async end({ network }) {
      network.mend();
    },
  },
  drop: {
    hitsLeader: false,
    deposes: false,
    async begin({ victim, network, dice, longMs }) {
      const times = dice.integer(resets.low, resets.high);
      const pauseMs = (longMs * dice.between(absences.low, absences.high)) / times;
      for (let nth = 0; nth < times; nth++) {
        network.reset(victim.id);
        await sleep(pauseMs);
      }
      return `all its connections reset, ${times} times, every ${Math.round(pauseMs)} ms`;
    },
    // What was dropped is dialled again.
    async end() {},
  },
  "full-disk": {
    hitsLeader: false,
    deposes: true,
    async begin({ victim, logs, diskOf, dice, start }) {
      const leftBytes = dice.chance(0.5) ? 0 : dice.integer(1, leftBytesMax);
      diskOf(victim).fill(leftBytes);
      await endsForWantOfSpace(victim, logs);
      // What watches over the process may start it again while nothing has changed.
      if (dice.chance(restartsInVain)) {
        await start(victim);
        await endsForWantOfSpace(victim, logs);
      }
      return `full disk, ${leftBytes} bytes left`;
    },
    async end({ victim, diskOf, start }) {
      diskOf(victim).clear();
      await start(victim);
    },
  },
  "slow-disk": {
    hitsLeader: false,
    deposes: false,
    async begin({ victim, diskOf, dice, longMs }) {
      const perSecond = dice.integer(writesPerSecond.low, writesPerSecond.high);
      diskOf(victim).limitWrites(perSecond);
      await sleep(longMs * dice.between(absences.low, absences.high));
      return `slow disk, ${perSecond} writes a second`;
    },
    async end({ victim, diskOf }) {
      diskOf(victim).limitWrites(null);
    },
  },
};

/** With 74, and a sentence that names the disk; neither is a surprise then. */
async function endsForWantOfSpace(victim: LocalNode, logs: LogReader): Promise<void> {
  const exit = await Promise.race([victim.exited, sleep(exitLimitMs)]);
  if (exit?.code !== exitIo) {
    const what = exit === undefined ? "runs on" : `ended with ${exit.code ?? exit.signal}`;
    throw new Error(`with a full disk ${victim.id} ${what}`);
  }
  logs.advance();
  logs.takeErrors(victim, / ERR the node stops exitCode=74$/);
  if (logs.takeErrors(victim, /^evm: .*\bdisk\b.* is full/).length !== 1) {
    throw new Error(`${victim.id} did not say once that its disk is full`);
  }
}
