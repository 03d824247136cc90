/**
 * What is on its way to a slow follower is bounded (P8): a leader that sends on and on fills the memory of both. Counted
 * from what it sends and hears; an answer covers all that was sent before, and a pipeline ends when its leader probes.
 */

import { appendsInFlightMax, bytesInFlightMax } from "../../../src/base/limits.ts";
import { payloadBytes } from "../../../src/raft/log.ts";
import type { Message } from "../../../src/raft/message.ts";
import type { RaftStatus } from "../../../src/raft/status.ts";
import type { LogIndex, ServerId, Term } from "../../../src/raft/types.ts";
import type { SimulatedNode } from "../node.ts";
import { payloadMaxBytes } from "../payloads.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";

/** The last one may begin just before the limit is reached, and is one large entry, or many small ones. */
const bytesMax = bytesInFlightMax + payloadMaxBytes;

interface Append {
  readonly prevIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly bytes: number;
}

interface Pipeline {
  readonly term: Term;
  appends: Append[];
}

export class InFlight implements Checker {
  /** Of each node that leads, by its peers. */
  readonly #pipelines = new Map<ServerId, Map<ServerId, Pipeline>>();

  started(node: SimulatedNode): void {
    this.#pipelines.set(node.id, new Map());
  }

  sending(node: SimulatedNode, message: Message): void {
    if (message.kind !== "appendEntriesRequest") return;
    const { term, to, prev, entries } = message;
    const bytes = entries.reduce((sum, entry) => sum + payloadBytes(entry), 0);
    const pipelines = this.#pipelines.get(node.id);
    const known = pipelines?.get(to);
    const appends = known?.term === term ? known.appends : [];
    appends.push({ prevIndex: prev.index, lastIndex: prev.index + entries.length, bytes });
    pipelines?.set(to, { term, appends });
    const sumBytes = appends.reduce((sum, append) => sum + append.bytes, 0);
    if (appends.length <= appendsInFlightMax && sumBytes <= bytesMax) return;
    throw new Violation(
      "bounded memory",
      `${node.id} has ${appends.length} AppendEntries with ${sumBytes} bytes on their way to ${to}`,
    );
  }

  receiving(node: SimulatedNode, message: Message): void {
    const pipeline = this.#pipelines.get(node.id)?.get(message.from);
    if (pipeline === undefined) return;
    if (message.kind === "heartbeatResponse") {
      // It has lost its disk: in this very step its leader begins to probe.
      const [first] = pipeline.appends;
      if (first !== undefined && message.lastLogIndex < first.prevIndex) pipeline.appends = [];
      return;
    }
    if (message.kind !== "appendEntriesResponse" || message.term !== pipeline.term) return;
    // From here on the leader looks for the last common entry, one request at a time.
    if (!message.success) pipeline.appends = [];
    pipeline.appends = pipeline.appends.filter(({ lastIndex }) => lastIndex > message.matchIndex);
  }

  stepped(node: SimulatedNode, { peers }: RaftStatus): void {
    const pipelines = this.#pipelines.get(node.id);
    for (const { id, pace } of peers) {
      if (pace !== "replicate") pipelines?.delete(id);
    }
  }
}
