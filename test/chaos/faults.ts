/** What happens to one node in a cycle. Each fault ends, and the cluster must then be whole by itself. */

import { sleep } from "../../src/base/task-group.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import type { Dice } from "../simulation/dice.ts";
import type { Network } from "./network.ts";

export const faultNames = ["kill", "term", "stop", "delay", "partition"] as const;
export type FaultName = (typeof faultNames)[number];

export interface Scene {
  readonly victim: LocalNode;
  readonly others: readonly LocalNode[];
  readonly network: Network;
  readonly dice: Dice;
  /** Longer than an election takes without anything else going wrong. */
  readonly longMs: number;
  readonly start: (node: LocalNode) => Promise<void>;
}

export interface Fault {
  /** Always the leader; otherwise any node, every other time the leader. */
  readonly hitsLeader: boolean;
  /** A leader that it hits cannot go on leading. */
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
    deposes: false,
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
};
