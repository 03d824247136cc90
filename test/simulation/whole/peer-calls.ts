/**
 * Calls between the main threads of two nodes, as the transport carries them (`src/transport/peer.ts`): over a
 * connection of their own for each way, dialled when there is something to ask. A cut holds the call or its answer,
 * whichever goes that way. A request may be lost, and so may the answer to what was carried out; on an ordered
 * connection either ends it, with all that was asked on it. None arrives twice: TCP repeats nothing, and a connection
 * that ended is not asked again what was asked on it.
 */

import type { PeerAnswerMessage } from "../../../src/node/peer-requests.ts";
import type { ServerId } from "../../../src/raft/types.ts";
import type { PeerFailure, PeerReply } from "../../../src/sequencer/ports.ts";
import { backoffMs } from "../../../src/transport/deadlines.ts";
import type { Checker } from "../checkers/checker.ts";
import type { Cluster } from "../cluster.ts";
import { type Call, Connection } from "../connection.ts";
import type { Dice } from "../dice.ts";
import { Lane } from "../lane.ts";
import type { Life } from "../life.ts";
import type { SimulatedNode } from "../node.ts";
import type { NetworkConditions } from "../plan.ts";
import type { World } from "../world.ts";
import type { ChainWatch } from "./chain-watch.ts";
import { SequencerHost } from "./sequencer-host.ts";

export interface PeerRequest {
  readonly peerId: ServerId;
  readonly method: string;
  readonly body: Uint8Array;
  readonly timeoutMs: number;
}

interface Question {
  readonly by: Life;
  readonly request: PeerRequest;
  readonly settle: (reply: PeerReply) => void;
  /** Answered or given up, in the asker's eyes. */
  isOver: boolean;
}

type PeerConnection = Connection<Question, PeerAnswerMessage>;
type PeerCall = Call<Question, PeerAnswerMessage>;

/** What one process knows of the way to one peer. */
interface Channel {
  readonly from: Life;
  readonly to: ServerId;
  state: State;
  /** Attempts in a row that brought no answer. */
  failures: number;
  dialNotBeforeMs: number;
}

type State =
  | { readonly kind: "idle" }
  | { readonly kind: "dialling"; readonly questions: Question[] }
  | { readonly kind: "open"; readonly connection: PeerConnection; readonly target: Life };

interface Lanes {
  readonly there: Lane;
  readonly back: Lane;
}

const idle: State = { kind: "idle" };
const backoffMaxMs = 1_000;
/** Of what opens a connection. */
const handshakeBytes = 60;

export class PeerCalls implements Checker {
  readonly #cluster: Cluster;
  readonly #world: World;
  readonly #watch: ChainWatch;
  readonly #dice: Dice;
  /** While there is trouble: calls are few, and are lost and delayed more often than messages. */
  readonly #rough: NetworkConditions;
  #channels: Channel[] = [];
  #dialled = 0;

  constructor(cluster: Cluster, world: World, watch: ChainWatch) {
    this.#cluster = cluster;
    this.#world = world;
    this.#watch = watch;
    this.#dice = world.dice.fork("calls between nodes");
    this.#rough = {
      ...world.plan.chaos.network,
      lossRate: this.#dice.chance(0.3) ? 0 : this.#dice.magnitude(0.003, 0.2),
      delayRate: this.#dice.chance(0.3) ? 0 : this.#dice.magnitude(0.005, 0.2),
    };
  }

  /** A request of one process to the main thread of another. `settle` is called once, unless the process dies. */
  ask(by: Life, request: PeerRequest, settle: (reply: PeerReply) => void): void {
    const question: Question = { by, request, settle, isOver: false };
    by.clock.at(by.clock.now() + request.timeoutMs, () => {
      this.#settleNow(question, failed("unanswered", "no answer in time"));
    });
    const channel = this.#channel(by, request.peerId);
    const { state } = channel;
    if (state.kind === "open") return this.#send(state.connection, question);
    if (state.kind === "dialling") state.questions.push(question);
    else if (this.#world.schedule.nowMs >= channel.dialNotBeforeMs) this.#dial(channel, question);
    else this.#refuse(question, "backing off");
  }

  /** A dying process closes its sockets; a host without power does not. */
  ended({ id }: SimulatedNode): void {
    const own = this.#channels.filter(({ from }) => !from.isRunning);
    this.#channels = this.#channels.filter(({ from }) => from.isRunning);
    for (const { state } of own) if (state.kind === "open") state.connection.end();
    const { network } = this.#cluster;
    if (network.isDark(id)) return;
    for (const { state, from, to } of this.#channels) {
      if (to !== id || state.kind !== "open") continue;
      this.#world.schedule.after(this.#latencyMs(), () => {
        if (!network.links.isCut(id, from.nodeId)) state.connection.end();
      });
    }
  }

  #channel(from: Life, to: ServerId): Channel {
    const known = this.#channels.find((channel) => channel.from === from && channel.to === to);
    if (known !== undefined) return known;
    const channel: Channel = { from, to, state: idle, failures: 0, dialNotBeforeMs: 0 };
    this.#channels.push(channel);
    return channel;
  }

  #dial(channel: Channel, question: Question): void {
    const { schedule, plan } = this.#world;
    const { from, to } = channel;
    const dice = this.#dice.fork(`${from.nodeId} ${to} ${++this.#dialled}`);
    const there = this.#lane(from.nodeId, to, "question", dice);
    const back = this.#lane(to, from.nodeId, "answer", dice);
    const attempt: State = { kind: "dialling", questions: [question] };
    channel.state = attempt;
    const fail = (reason: string) => {
      if (channel.state !== attempt) return;
      channel.state = idle;
      this.#backOff(channel);
      for (const waiting of attempt.questions) this.#refuse(waiting, reason);
    };
    const nobody = () => {};
    there.push(
      handshakeBytes,
      () => {
        const target = this.#processOf(to);
        if (target === null && this.#cluster.network.isDark(to)) return;
        const answered = () => {
          if (target === null) return fail("refused");
          if (channel.state === attempt && from.isRunning) {
            this.#opened(channel, target, attempt.questions, { lanes: { there, back }, dice });
          }
        };
        back.push(handshakeBytes, answered, nobody);
      },
      nobody,
    );
    schedule.after(plan.timeouts.sendMs, () => fail("not connected in time"));
  }

  #opened(
    channel: Channel,
    target: Life,
    questions: readonly Question[],
    { lanes, dice }: { readonly lanes: Lanes; readonly dice: Dice },
  ): void {
    const { schedule, plan } = this.#world;
    const connection: PeerConnection = new Connection(
      { isOrdered: plan.isOrdered, duplicateRate: () => 0 },
      {
        arrived: (call) => this.#arrived(connection, target, call),
        duplicated: () => {},
        answered: ({ request }, answer) => {
          channel.failures = 0;
          this.#settle(request, { kind: "answered", ...answer });
        },
        failed: ({ request }) => {
          this.#settle(request, failed("unanswered", "the connection has ended"));
        },
        ended: (undelivered) => this.#connectionEnded(channel, connection, undelivered, target),
      },
      { schedule, dice },
      lanes,
    );
    channel.state = { kind: "open", connection, target };
    // Whoever connects is there.
    for (const other of this.#channels) {
      if (other.from === target && other.to === channel.from.nodeId) other.dialNotBeforeMs = 0;
    }
    for (const question of questions) this.#send(connection, question);
  }

  #send(connection: PeerConnection, question: Question): void {
    const { body, timeoutMs } = question.request;
    connection.call(question, { sizeBytes: 200 + body.length, timeoutMs });
  }

  #arrived(connection: PeerConnection, target: Life, call: PeerCall): void {
    const { host, nodeId } = target;
    if (!target.isRunning) {
      if (!this.#cluster.network.isDark(nodeId)) connection.end();
      return;
    }
    if (!(host instanceof SequencerHost)) return;
    const { method, body } = call.request.request;
    target.run("io", () => {
      this.#watch.count(call.request.isOver ? "question taken too late" : "question taken");
      host.answerPeer(method, body, (answer) => connection.answer(call, answer));
    });
  }

  #connectionEnded(
    channel: Channel,
    connection: PeerConnection,
    undelivered: (() => void)[],
    target: Life,
  ): void {
    const { state } = channel;
    if (state.kind === "open" && state.connection === connection) {
      channel.state = idle;
      if (!connection.isProven) this.#backOff(channel);
    }
    // What the peer's kernel had received already is read, though nobody waits for the answer.
    const { conditions, schedule, plan } = this.#world;
    if (!this.#dice.chance(conditions.network.lateRate)) return;
    schedule.after(this.#dice.between(0, 2 * plan.timeouts.heartbeatMs), () => {
      if (target.isRunning) for (const arrive of undelivered) arrive();
    });
  }

  #backOff(channel: Channel): void {
    channel.failures++;
    const pauseMs = backoffMs(channel.failures, backoffMaxMs, this.#dice.random());
    channel.dialNotBeforeMs = this.#world.schedule.nowMs + pauseMs;
  }

  /** Nobody can have heard of it. */
  #refuse(question: Question, reason: string): void {
    this.#world.schedule.after(0, () => this.#settle(question, failed("notSent", reason)));
  }

  #settle(question: Question, reply: PeerReply): void {
    question.by.run("io", () => this.#settleNow(question, reply));
  }

  #settleNow(question: Question, reply: PeerReply): void {
    if (question.isOver) return;
    question.isOver = true;
    this.#watch.count(reply.kind === "failed" ? `question ${reply.failure}` : "question answered");
    question.settle(reply);
  }

  #processOf(id: ServerId): Life | null {
    return this.#cluster.nodes.find((node) => node.id === id)?.life ?? null;
  }

  #lane(from: ServerId, to: ServerId, carried: "question" | "answer", dice: Dice): Lane {
    const { plan, schedule } = this.#world;
    const { network } = this.#cluster;
    const { links } = network;
    return new Lane(
      {
        isOrdered: plan.isOrdered,
        conditions: () => this.#conditions,
        holds: (isLarge) => {
          const isHeld = network.holds(from, to, isLarge);
          const isOneWay = links.isCut(from, to) && !links.isCut(to, from);
          if (isHeld) this.#watch.count(`${carried} held${isOneWay ? " one way" : ""}`);
          return isHeld;
        },
        disturbed: (what) => this.#watch.count(`${carried}: ${what}`),
      },
      schedule,
      dice,
    );
  }

  get #conditions(): NetworkConditions {
    const { conditions, plan } = this.#world;
    return conditions === plan.chaos ? this.#rough : conditions.network;
  }

  #latencyMs(): number {
    const { low, high } = this.#conditions.latencyMs;
    return this.#dice.between(low, 2 * high);
  }
}

function failed(failure: PeerFailure, reason: string): PeerReply {
  return { kind: "failed", reason, failure };
}
