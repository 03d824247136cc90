/** The core's inputs and outputs as the lines of a transcript. An entry is `term/index`. */

import type { RaftEvent } from "../../../src/raft/event.ts";
import type { ConfigurationCodec } from "../../../src/raft/membership.ts";
import type { Message } from "../../../src/raft/message.ts";
import type { Persist, ProposalAnswer, ReadAnswer } from "../../../src/raft/ready.ts";
import type { RaftStatus } from "../../../src/raft/status.ts";
import type { Configuration, Entry, EntryId, Origin } from "../../../src/raft/types.ts";

/** Configurations as text: `1 2 3 4(nonvoter)`. Their real encoding is the transport's business. */
export const textCodec: ConfigurationCodec = {
  encode: (configuration) => new TextEncoder().encode(configurationText(configuration)),
  decode: ({ data }) => parseConfiguration(new TextDecoder().decode(data ?? new Uint8Array(0))),
};

export function configurationText({ servers }: Configuration): string {
  return servers
    .map(({ id, suffrage }) => (suffrage === "voter" ? id : `${id}(${suffrage})`))
    .join(" ");
}

export function parseConfiguration(text: string): Configuration {
  const servers = text.split(" ").map((word) => {
    const id = word.replace("(nonvoter)", "");
    const suffrage = id === word ? ("voter" as const) : ("nonvoter" as const);
    return { id, address: `host-${id}:5001`, suffrage };
  });
  return { servers };
}

export function idText({ term, index }: EntryId): string {
  return `${term}/${index}`;
}

export function entryText(entry: Entry): string {
  const text = entry.data === null ? "" : new TextDecoder().decode(entry.data);
  if (entry.kind === "command") return `${idText(entry)} ${text}`;
  return `${idText(entry)} ${entry.kind}${entry.kind === "configuration" ? ` ${text}` : ""}`;
}

export function entriesText(entries: readonly Entry[]): string {
  const [first, last] = [entries.at(0), entries.at(-1)];
  if (entries.length > 9 && first !== undefined && last !== undefined) {
    return `[${entryText(first)} to ${entryText(last)}]`;
  }
  return `[${entries.map(entryText).join(", ")}]`;
}

export function persistText(persist: Persist) {
  const { sequence, hardState, origin, snapshot, truncateFrom, entries } = persist;
  const parts = [`persists #${sequence}`];
  if (hardState !== null) {
    parts.push(`term=${hardState.currentTerm} vote=${hardState.votedFor ?? "-"}`);
  }
  if (origin !== undefined) parts.push(originWord(origin));
  if (snapshot !== null) parts.push(`snapshot=${idText(snapshot.last)}`);
  if (truncateFrom !== null) parts.push(`truncate from ${truncateFrom}`);
  if (entries.length > 0) parts.push(entriesText(entries));
  return parts.join(" ");
}

export function proposalText(answer: ProposalAnswer): string {
  const { proposalId } = answer;
  if (answer.kind === "appended") return `proposal ${proposalId} appended at ${idText(answer)}`;
  if (answer.kind === "notLeader") return `proposal ${proposalId} notLeader, ${answer.leaderId} is`;
  return `proposal ${proposalId} unavailable: ${answer.reason}`;
}

export function readText(answer: ReadAnswer): string {
  return answer.kind === "confirmed"
    ? `read ${answer.readId} confirmed at index ${answer.readIndex}`
    : `read ${answer.readId} refused, ${answer.leaderId} leads`;
}

export function eventText(event: RaftEvent): string {
  const { kind, ...facts } = event;
  const shown = Object.entries(facts).map(([name, fact]) => `${name}=${factText(fact)}`);
  return [kind, ...shown].join(" ");
}

function factText(fact: unknown): string {
  if (Array.isArray(fact)) return `[${fact.join(" ")}]`;
  if (typeof fact === "string" && fact.includes(" ")) return `"${fact}"`;
  if (isConfiguration(fact)) return `(${configurationText(fact)})`;
  return String(fact);
}

function isConfiguration(fact: unknown): fact is Configuration {
  return typeof fact === "object" && fact !== null && "servers" in fact;
}

export function messageText(message: Message): string {
  return `${message.from}->${message.to} ${bodyText(message)}`;
}

function bodyText(message: Message): string {
  switch (message.kind) {
    case "appendEntriesRequest": {
      const { term, prev, leaderCommit, entries } = message;
      const head = `AppendEntries term=${term} prev=${idText(prev)} commit=${leaderCommit}`;
      return entries.length === 0 ? head : `${head} ${entriesText(entries)}`;
    }
    case "appendEntriesResponse": {
      const { term, success, matchIndex, lastLogIndex } = message;
      const outcome = success ? `match=${matchIndex}` : `refused hint=${lastLogIndex}`;
      return `AppendEntriesResponse term=${term} ${outcome}`;
    }
    case "heartbeatRequest":
      return `Heartbeat term=${message.term}`;
    case "heartbeatResponse":
      return `HeartbeatResponse term=${message.term} last=${message.lastLogIndex}`;
    case "requestVoteRequest": {
      const transfer = message.leadershipTransfer ? " transfer" : "";
      return `RequestVote term=${message.term} last=${idText(message.last)}${transfer}`;
    }
    case "requestPreVoteRequest":
      if (message.term === 0) return "How do you stand?";
      return `RequestPreVote term=${message.term} last=${idText(message.last)}`;
    case "requestVoteResponse":
      return `RequestVoteResponse term=${message.term} ${message.granted ? "granted" : "refused"}`;
    case "requestPreVoteResponse": {
      const { term, granted, standing } = message;
      if (standing === undefined) {
        return `RequestPreVoteResponse term=${term} ${granted ? "granted" : "refused"}`;
      }
      const { memory, lastLogIndex, height } = standing;
      return `Standing term=${term} memory=${memory} last=${lastLogIndex} height=${height}`;
    }
    case "installSnapshotRequest":
      return `InstallSnapshot term=${message.term} last=${idText(message.snapshot.last)}`;
    case "installSnapshotResponse":
      return `InstallSnapshotResponse term=${message.term} ${message.success ? "installed" : "refused"}`;
    case "timeoutNowRequest":
      return "TimeoutNow";
    case "timeoutNowResponse":
      return "TimeoutNowResponse";
    default:
      return message satisfies never;
  }
}

export function statusText(status: RaftStatus): string {
  const { id, role, term, leaderId, commitIndex, firstIndex, lastIndex } = status;
  const log = lastIndex < firstIndex ? "empty" : `${firstIndex}..${lastIndex}`;
  const peers = status.peers.map((p) => ` ${p.id}:${p.pace}@${p.matchIndex}`).join("");
  return `${id}: ${role} term=${term} leader=${leaderId ?? "-"} log=${log} commit=${commitIndex}${peers}`;
}

function originWord({ recovery }: Origin): string {
  return recovery === null ? "regained" : `recovering until=${recovery.untilIndex}`;
}
