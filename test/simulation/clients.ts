/** Whoever uses the cluster: proposes commands and asks for reads, mostly where the leader is said to be. */

import type { Cluster } from "./cluster.ts";
import type { Dice } from "./dice.ts";
import type { SimulatedNode } from "./node.ts";
import type { ClientConditions } from "./plan.ts";
import type { World } from "./world.ts";

export class Clients {
  readonly #cluster: Cluster;
  readonly #world: World;
  readonly #dice: Dice;
  #readId = 0;
  #isActive = false;

  constructor(cluster: Cluster, world: World) {
    this.#cluster = cluster;
    this.#world = world;
    this.#dice = world.dice.fork("clients");
    this.#loop(
      (client) => client.proposeEveryMs,
      () => this.#propose(),
    );
    this.#loop(
      (client) => client.readEveryMs,
      () => this.#read(),
    );
  }

  begin(): void {
    this.#isActive = true;
  }

  pause(): void {
    this.#isActive = false;
  }

  /** Somebody has a command now. */
  propose(): void {
    if (this.#world.conditions.client.proposeEveryMs < Number.POSITIVE_INFINITY) this.#propose();
  }

  /** Asks again after a while how busy clients are now: waiting has no memory, so that is the same. */
  #loop(everyMs: (client: ClientConditions) => number, act: () => void): void {
    const { schedule, conditions, plan } = this.#world;
    const { heartbeatMs } = plan.timeouts;
    const waitMs = this.#dice.wait(everyMs(conditions.client));
    schedule.after(Math.min(waitMs, heartbeatMs), () => {
      if (this.#isActive && waitMs <= heartbeatMs) act();
      this.#loop(everyMs, act);
    });
  }

  #propose(): void {
    const { checkers, payloads, conditions, transcript } = this.#world;
    const { batchMax, backlogMax, payloadBytes, astrayRate } = conditions.client;
    const isAstray = this.#dice.chance(astrayRate);
    const node = this.#proposer(isAstray);
    const life = node?.life ?? null;
    const driver = life?.driver ?? null;
    if (node === null || life === null || driver === null) return;
    const { lastIndex, commitIndex } = driver.status;
    if (lastIndex - commitIndex >= backlogMax) return;
    const term = (life.host.report?.term ?? 0) - (isAstray ? this.#dice.integer(-1, 1) : 0);
    const count = this.#dice.integer(1, batchMax);
    for (let at = 0; at < count; at++) {
      const sizeBytes = Math.floor(this.#dice.between(payloadBytes.low, payloadBytes.high));
      const { id, data } = payloads.create(sizeBytes);
      life.run("io", () => {
        transcript.note(node.id, () => `proposal ${id} in term ${term}, ${sizeBytes} bytes`);
        checkers.proposed(node, id, term);
        driver.propose(term, { proposalId: id, data, appendedAt: null });
      });
    }
  }

  #proposer(isAstray: boolean): SimulatedNode | null {
    const { conditions } = this.#world;
    if (isAstray) return this.#cluster.anyUp(this.#dice);
    const isAny = this.#dice.chance(conditions.client.anyLeaderRate);
    return isAny ? this.#dice.pickOrNull(this.#cluster.leaders()) : this.#cluster.saidLeader();
  }

  #read(): void {
    const { checkers, conditions, transcript } = this.#world;
    const isAstray = this.#dice.chance(conditions.client.astrayRate);
    const node = this.#reader(isAstray);
    const life = node?.life ?? null;
    const driver = life?.driver ?? null;
    if (node === null || life === null || driver === null) return;
    this.#readLocally();
    const readId = ++this.#readId;
    life.run("io", () => {
      transcript.note(node.id, () => `read ${readId}`);
      checkers.readBegan(node, readId);
      driver.confirmLeadership(readId);
    });
  }

  /** Of a leader that trusts its lease, and of any node, which may be behind. */
  #readLocally(): void {
    const { checkers } = this.#world;
    const kind = this.#dice.pick(["lease", "stale"] as const);
    const node = kind === "lease" ? this.#reader(false) : this.#cluster.anyUp(this.#dice);
    if (node === null) return;
    node.life?.run("io", () => checkers.localReadBegan(node, kind));
  }

  /** Any that thinks it leads: old leaders are the ones that could lie. */
  #reader(isAstray: boolean): SimulatedNode | null {
    return isAstray
      ? this.#cluster.anyUp(this.#dice)
      : this.#dice.pickOrNull(this.#cluster.leaders());
  }
}
