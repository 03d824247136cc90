/**
 * Who takes part. A configuration counts from the moment it is appended, committed or not, and is
 * taken back if its entry is truncated (Raft §6, thesis §4.1).
 */

import { assert } from "../base/assert.ts";
import type { Configuration, Entry, LogIndex, ServerId, Snapshot, Suffrage } from "./types.ts";

/** Configurations as bytes in a log entry: hashicorp's encoding, which the transport knows. */
export interface ConfigurationCodec {
  encode(configuration: Configuration): Uint8Array;
  /** Of a `configuration`, `addPeer` or `removePeer` entry. Throws if its data is malformed. */
  decode(entry: Entry): Configuration;
}

export const noConfiguration: Configuration = { servers: [] };

/** The bootstrap entry stands here in every log; it is the only one whose addresses are not real. */
export const bootstrapIndex: LogIndex = 1;

export function votersOf(configuration: Configuration): ServerId[] {
  return configuration.servers.filter((s) => s.suffrage === "voter").map((s) => s.id);
}

/** null for a stranger. */
export function suffrageOf(configuration: Configuration, id: ServerId): Suffrage | null {
  return configuration.servers.find((server) => server.id === id)?.suffrage ?? null;
}

export function isConfigurationEntry(entry: Entry): boolean {
  return entry.kind === "configuration" || entry.kind === "addPeer" || entry.kind === "removePeer";
}

/**
 * The entry at index 1 of a new cluster: a function of the sorted node_ids, so that every server
 * writes the same bytes by itself. Addresses differ in the eyes of each server and are therefore
 * not part of it; the first leader appends a configuration that has them.
 */
export function bootstrapEntry(ids: readonly ServerId[], codec: ConfigurationCodec): Entry {
  const servers = [...new Set(ids)]
    .sort()
    .map((id) => ({ id, address: id, suffrage: "voter" as const }));
  return {
    index: bootstrapIndex,
    term: 1,
    kind: "configuration",
    data: codec.encode({ servers }),
    extensions: null,
    appendedAt: null,
  };
}

/** What makes a configuration unusable, as hashicorp checks it; null if nothing does. */
export function configurationProblem({ servers }: Configuration): string | null {
  if (servers.some((server) => server.id === "")) return "a server has no id";
  if (servers.some((server) => server.address === "")) return "a server has no address";
  if (new Set(servers.map((server) => server.id)).size < servers.length) {
    return "two servers have the same id";
  }
  if (new Set(servers.map((server) => server.address)).size < servers.length) {
    return "two servers have the same address";
  }
  return servers.some((server) => server.suffrage === "voter") ? null : "there is no voter";
}

/**
 * Why one configuration must not follow another; null if it may. Majorities of configurations that
 * differ in one voter always share a server; two at once could elect two leaders (thesis §4.1).
 */
export function changeProblem(from: Configuration, to: Configuration): string | null {
  const before = new Set(votersOf(from));
  const after = new Set(votersOf(to));
  const changed =
    [...before].filter((id) => !after.has(id)).length +
    [...after].filter((id) => !before.has(id)).length;
  return changed > 1 ? "more than one voter would change at once" : configurationProblem(to);
}

interface Adopted {
  readonly index: LogIndex;
  readonly configuration: Configuration;
  readonly voters: readonly ServerId[];
}

function adopted(index: LogIndex, configuration: Configuration): Adopted {
  return { index, configuration, voters: votersOf(configuration) };
}

/** The configurations of a log: the committed one, and those appended after it. */
export class Membership {
  readonly #codec: ConfigurationCodec;
  /** Oldest first; the first is committed, the last in force. */
  #adopted: readonly [Adopted, ...Adopted[]];

  constructor(codec: ConfigurationCodec, snapshot: Snapshot | null, entries: readonly Entry[]) {
    this.#codec = codec;
    this.#adopted = [
      adopted(snapshot?.configurationIndex ?? 0, snapshot?.configuration ?? noConfiguration),
    ];
    for (const entry of entries) this.append(entry);
  }

  get latest(): Configuration {
    return this.#last.configuration;
  }

  get latestIndex(): LogIndex {
    return this.#last.index;
  }

  /** Of the latest configuration. */
  get voters(): readonly ServerId[] {
    return this.#last.voters;
  }

  get committed(): Configuration {
    return this.#adopted[0].configuration;
  }

  get committedIndex(): LogIndex {
    return this.#adopted[0].index;
  }

  /** Takes on `entry` if it holds a configuration. Returns whether it did. */
  append(entry: Entry): boolean {
    if (!isConfigurationEntry(entry) || entry.index <= this.latestIndex) return false;
    this.#adopted = [...this.#adopted, adopted(entry.index, this.#codec.decode(entry))];
    return true;
  }

  /** Gives up what was appended at `index` or later. */
  truncateFrom(index: LogIndex): void {
    const [committed, ...later] = this.#adopted;
    assert(index > committed.index, "a committed configuration is never truncated", { index });
    this.#adopted = [committed, ...later.filter((one) => one.index < index)];
  }

  commitThrough(index: LogIndex): void {
    const reached = this.#adopted.filter((one) => one.index <= index).length;
    const [first, ...rest] = this.#adopted.slice(Math.max(0, reached - 1));
    if (first !== undefined) this.#adopted = [first, ...rest];
  }

  install(snapshot: Snapshot): void {
    this.#adopted = [adopted(snapshot.configurationIndex, snapshot.configuration)];
  }

  get #last(): Adopted {
    return this.#adopted[this.#adopted.length - 1] ?? this.#adopted[0];
  }
}
