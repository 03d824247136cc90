/**
 * What all members must have in common. A node that knows the identities of fewer blocks than the others builds blocks with
 * repetitions that they refuse, and one that knows more refuses theirs (P1, P7); one with another genesis refuses every
 * block, and they refuse its own. Such a node must not take part.
 */

import { z } from "zod";
import { toHex } from "../base/bytes.ts";
import { sleep, TaskGroup } from "../base/task-group.ts";
import type { Height } from "../block/types.ts";
import { ConfigError } from "../config/problem.ts";
import { formatRfc3339 } from "../home/rfc3339.ts";
import { majorityOf } from "../raft/quorum.ts";
import type { PeerReply } from "../sequencer/ports.ts";
import { asError, type NodeContext } from "./context.ts";
import { peerMethods } from "./peer-requests.ts";

const settingsSchema = z.object({
  txIdentityWindow: z.int().positive(),
  /** Older versions tell neither their genesis nor their height. */
  genesis: z.string().optional(),
  height: z.int().nonnegative().optional(),
});

export type SharedSettings = z.output<typeof settingsSchema>;

interface Difference {
  /** Of the configuration; null for what is a file of its own. */
  readonly key: string | null;
  readonly own: string;
  readonly theirs: string;
  /** null: to be decided by a majority. */
  readonly whoIsWrong: "own" | "theirs" | null;
}

const askTimeoutMs = 1_000;
const askAgainMs = 1_000;

/** After so many rounds nobody waits any longer for a member that could tell who of two is right. */
const undecidedRoundsMax = 3;

export type AskPeer = (
  peerId: string,
  method: string,
  body: Uint8Array,
  timeoutMs: number,
) => Promise<PeerReply>;

export function sharedSettingsOf(
  { options, genesis }: NodeContext,
  height: Height,
): SharedSettings {
  const { chainId, initialHeight, genesisTimeNs } = genesis;
  const proposer = toHex(options.home.genesis.proposerAddress).slice(0, 16);
  return {
    txIdentityWindow: options.config.cluster.txIdentityWindow,
    genesis: `chain ${chainId}, from height ${initialHeight} at ${formatRfc3339(genesisTimeNs)}, proposer ${proposer}`,
    height,
  };
}

/** Compares in the background: a node that was started with other settings than most ends. */
export function compareInBackground(
  context: NodeContext,
  own: () => SharedSettings,
  askPeer: AskPeer,
): { stop(): Promise<void> } {
  const { addresses, nodeId, log } = context;
  const peerIds = [...addresses.keys()].filter((id) => id !== nodeId);
  const tasks = new TaskGroup((_name, error) => context.fail(asError(error)));
  tasks.spawn("settings", (signal) =>
    compareSettings(own, askPeer, peerIds, {
      signal,
      onDifference: (peerId, { key, own, theirs }) =>
        log.error(
          { peer: peerId, own, theirs },
          `${key ?? "genesis.json"} differs between members`,
        ),
    }),
  );
  return { stop: () => tasks.stop() };
}

/**
 * Resolves once a majority has the same settings, nobody is left to be asked, or `signal` aborts. Throws a ConfigError that
 * names both values once a majority has others: one member that is wrong must not stop those that are right. Where it
 * stays open who is right, those that can be asked being too few, it throws too: going on could fork the chain. Of two
 * with different geneses the one that has blocks is right.
 */
export async function compareSettings(
  own: () => SharedSettings,
  askPeer: AskPeer,
  peerIds: readonly string[],
  {
    signal,
    onDifference,
  }: {
    readonly signal: AbortSignal;
    /** Once for each member that differs. */
    readonly onDifference: (peerId: string, difference: Difference) => void;
  },
): Promise<void> {
  const majority = majorityOf(peerIds.length + 1);
  const askable = new Set(peerIds);
  const differing = new Map<string, Difference>();
  let agreeing = 1;
  let undecidedRounds = 0;
  const aborted = new Promise<null>((resolve) => {
    signal.addEventListener("abort", () => resolve(null), { once: true });
  });
  while (askable.size > 0 && !signal.aborted) {
    for (const peerId of askable) {
      const asking = askPeer(peerId, peerMethods.settings, new Uint8Array(0), askTimeoutMs);
      // A member that does not answer must not hold up a stop.
      const reply = await Promise.race([asking, aborted]);
      if (reply === null) return;
      if (reply.kind === "failed" && reply.failure !== "foreign") continue;
      askable.delete(peerId);
      const theirs = settingsIn(reply);
      // Another program, or another version: it cannot say.
      if (theirs === null) continue;
      const difference = differenceBetween(own(), theirs);
      if (difference === null) agreeing++;
      else {
        onDifference(peerId, difference);
        if (difference.whoIsWrong === "own") throw differs(difference, [peerId]);
        if (difference.whoIsWrong === null) differing.set(peerId, difference);
        if (differing.size >= majority) break;
      }
      if (agreeing >= majority) return;
    }
    if (differing.size > 0) undecidedRounds++;
    const isUndecided = undecidedRounds >= undecidedRoundsMax || askable.size === 0;
    const last = [...differing.values()].at(-1);
    if (last !== undefined && (differing.size >= majority || isUndecided)) {
      throw differs(last, [...differing.keys()]);
    }
    if (askable.size > 0) await sleep(askAgainMs, signal);
  }
}

function differenceBetween(own: SharedSettings, theirs: SharedSettings): Difference | null {
  if (own.genesis !== undefined && theirs.genesis !== undefined && own.genesis !== theirs.genesis) {
    const hasBlocks = { own: (own.height ?? 0) > 0, theirs: (theirs.height ?? 0) > 0 };
    const whoIsWrong = hasBlocks.own === hasBlocks.theirs ? null : hasBlocks.own ? "theirs" : "own";
    return { key: null, own: own.genesis, theirs: theirs.genesis, whoIsWrong };
  }
  if (own.txIdentityWindow === theirs.txIdentityWindow) return null;
  return {
    key: "cluster.tx_identity_window",
    own: String(own.txIdentityWindow),
    theirs: String(theirs.txIdentityWindow),
    whoIsWrong: null,
  };
}

function settingsIn(reply: PeerReply): SharedSettings | null {
  return reply.kind === "answered" && reply.status === 200 ? decodeSettings(reply.body) : null;
}

function decodeSettings(body: Uint8Array): SharedSettings | null {
  try {
    return settingsSchema.safeParse(JSON.parse(new TextDecoder().decode(body))).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function differs({ key, own, theirs }: Difference, peerIds: readonly string[]): ConfigError {
  const where = `${own} here and ${theirs} on ${peerIds.join(", ")}`;
  const message =
    key === null
      ? `genesis.json differs between members: ${where}. They refuse one another's blocks: copy genesis.json from a ` +
        "member that has the chain. What this node has stored with another one, in db_path, must be moved away"
      : `is ${where}. Members with different windows disagree on which ` +
        "blocks are valid: write the same value everywhere. To change it, stop all members first";
  return new ConfigError([{ severity: "error", origin: { kind: "default" }, key, message }]);
}
