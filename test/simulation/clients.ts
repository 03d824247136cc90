/** Whoever uses the cluster: proposes commands and asks for reads, mostly where the leader is said to be. */

import type { Cluster } from "./cluster.ts";
import type { SimulatedNode } from "./node.ts";
import type { ClientConditions } from "./plan.ts";
import type { World } from "./world.ts";

export class Clients {
  readonly #cluster: Cluster;
  readonly #world: World;
  #readId = 0;
  #isActive = false;

  constructor(cluster: Cluster, world: World) {
    this.#cluster = cluster;
    this.#world = world;
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

  /** Asks again after a while how busy clients are now: waiting has no memory, so that is the same. */
  #loop(everyMs: (client: ClientConditions) => number, act: () => void): void {
    const { dice, schedule, conditions, plan } = this.#world;
    const { heartbeatMs } = plan.timeouts;
    const waitMs = dice.wait(everyMs(conditions.client));
    schedule.after(Math.min(waitMs, heartbeatMs), () => {
      if (this.#isActive && waitMs <= heartbeatMs) act();
      this.#loop(everyMs, act);
    });
  }

  #propose(): void {
    const { dice, checkers, payloads, conditions, transcript } = this.#world;
    const { batchMax, backlogMax, payloadBytes, astrayRate } = conditions.client;
    const isAstray = dice.chance(astrayRate);
    const node = this.#proposer(isAstray);
    const life = node?.life ?? null;
    const driver = life?.driver ?? null;
    if (node === null || life === null || driver === null) return;
    const { lastIndex, commitIndex } = driver.status;
    if (lastIndex - commitIndex >= backlogMax) return;
    const term = (life.host.report?.term ?? 0) - (isAstray ? dice.integer(-1, 1) : 0);
    const count = dice.integer(1, batchMax);
    for (let at = 0; at < count; at++) {
      const sizeBytes = Math.floor(dice.between(payloadBytes.low, payloadBytes.high));
      const { id, data } = payloads.create(sizeBytes);
      life.run("io", () => {
        transcript.note(node.id, () => `proposal ${id} in term ${term}, ${sizeBytes} bytes`);
        checkers.proposed(node, id, term);
        driver.propose(term, { proposalId: id, data, appendedAt: null });
      });
    }
  }

  #proposer(isAstray: boolean): SimulatedNode | null {
    const { dice, conditions } = this.#world;
    if (isAstray) return this.#cluster.anyUp();
    const isAny = dice.chance(conditions.client.anyLeaderRate);
    return isAny ? dice.pickOrNull(this.#cluster.leaders()) : this.#cluster.saidLeader();
  }

  #read(): void {
    const { dice, checkers, conditions, transcript } = this.#world;
    const isAstray = dice.chance(conditions.client.astrayRate);
    const node = this.#reader(isAstray);
    const life = node?.life ?? null;
    const driver = life?.driver ?? null;
    if (node === null || life === null || driver === null) return;
    const readId = ++this.#readId;
    life.run("io", () => {
      transcript.note(node.id, () => `read ${readId}`);
      checkers.readBegan(node, readId);
      driver.confirmLeadership(readId);
    });
  }

  /** Any that thinks it leads: old leaders are the ones that could lie. */
  #reader(isAstray: boolean): SimulatedNode | null {
    const { dice } = this.#world;
    return isAstray ? this.#cluster.anyUp() : dice.pickOrNull(this.#cluster.leaders());
  }
}
