/**
 * What all members must have in common. A node that knows the identities of fewer blocks than the others builds blocks with
 * repetitions that they refuse, and one that knows more refuses theirs (P1, P7). One with another genesis is no member at
 * all: the Raft port hears nothing of it but calls, of which the question for its settings is one, and how it stands. Who is found out to be
 * wrong ends.
 */

import { z } from "zod";
import { toHex } from "../base/bytes.ts";
import { sleep, TaskGroup } from "../base/task-group.ts";
import { chainIdMaxBytes } from "../block/limits.ts";
import { ConfigError, type Problem } from "../config/problem.ts";
import { majorityOf } from "../raft/quorum.ts";
import type { PeerReply } from "../sequencer/ports.ts";
import type { BlockStore } from "../storage/block-store.ts";
import { asError, chainHashOf, type NodeContext } from "./context.ts";
import { peerMethods } from "./peer-requests.ts";

const settingsSchema = z.object({
  txIdentityWindow: z.int().positive(),
  /** Older versions do not tell it. */
  genesis: z
    .object({
      /** Its hash, in hexadecimal (`chainHashOf`). */
      id: z.string().length(64),
      chainId: z.string().max(chainIdMaxBytes),
      hasBlocks: z.boolean(),
    })
    .optional(),
});

export type SharedSettings = z.output<typeof settingsSchema>;

/** One of the things that members must have in common. */
interface Aspect {
  readonly name: string;
  /** null where a member cannot say. */
  readonly valueIn: (settings: SharedSettings) => Value | null;
  readonly problem: (where: string) => Omit<Problem, "severity" | "origin">;
}

interface Value {
  readonly id: string;
  readonly text: string;
  /** A chain was built with it. */
  readonly isProven: boolean;
}

const txIdentityWindow: Aspect = {
  name: "cluster.tx_identity_window",
  valueIn: ({ txIdentityWindow: window }) => ({
    id: String(window),
    text: String(window),
    isProven: false,
  }),
  problem: (where) => ({
    key: "cluster.tx_identity_window",
    message:
      `is ${where}. Members with different windows disagree on which ` +
      "blocks are valid: write the same value everywhere. To change it, stop all members first",
  }),
};

const genesis: Aspect = {
  name: "genesis.json",
  valueIn: ({ genesis: value }) =>
    value === undefined
      ? null
      : {
          id: value.id,
          // Quoted, since another program may have sent it.
          text: `chain ${JSON.stringify(value.chainId)} (${JSON.stringify(value.id.slice(0, 8))})`,
          isProven: value.hasBlocks,
        },
  problem: (where) => ({
    key: null,
    message:
      `genesis.json differs between members: ${where}. They refuse one another's blocks. If this node is wrong, copy genesis.json and ` +
      "signer.json from a member that has the chain, and move db_path and raft_dir away; if the others are, correct them, and " +
      "start this node again",
  }),
};

export const sharedAspects = { txIdentityWindow, genesis } satisfies Record<string, Aspect>;

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
  context: NodeContext,
  store: Pick<BlockStore, "earliestHeight">,
): SharedSettings {
  return {
    txIdentityWindow: context.options.config.cluster.txIdentityWindow,
    genesis: {
      id: toHex(chainHashOf(context)),
      chainId: context.genesis.chainId,
      hasBlocks: store.earliestHeight !== null,
    },
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
  for (const aspect of Object.values(sharedAspects)) {
    tasks.spawn(aspect.name, (signal) =>
      compareSettings(aspect, own, askPeer, peerIds, {
        signal,
        onDifference: (peer, ours, theirs) =>
          log.error({ peer, own: ours, theirs }, `${aspect.name} differs between members`),
      }),
    );
  }
  return { stop: () => tasks.stop() };
}

/**
 * Resolves once a majority has the same, nobody is left to be asked, or `signal` aborts. Throws a ConfigError that names
 * both values once a majority has another: one member that is wrong must not stop those that are right. Where it stays
 * open who is right, those that can be asked being too few, the one with which a chain was built is; if there is none,
 * it throws, too: going on could fork the chain.
 */
export async function compareSettings(
  { valueIn, problem }: Aspect,
  own: () => SharedSettings,
  askPeer: AskPeer,
  peerIds: readonly string[],
  {
    signal,
    onDifference,
  }: {
    readonly signal: AbortSignal;
    /** Once for each member that differs. */
    readonly onDifference: (peerId: string, own: string, theirs: string) => void;
  },
): Promise<void> {
  const majority = majorityOf(peerIds.length + 1);
  const askable = new Set(peerIds);
  const agreeing: Value[] = [];
  const differing = new Map<string, Value>();
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
      const settings = settingsIn(reply);
      const theirs = settings === null ? null : valueIn(settings);
      const ours = valueIn(own());
      // Another program, or another version: it cannot say.
      if (theirs === null || ours === null) continue;
      if (theirs.id === ours.id) agreeing.push(theirs);
      else {
        onDifference(peerId, ours.text, theirs.text);
        differing.set(peerId, theirs);
      }
      if (1 + agreeing.length >= majority) return;
    }
    const ours = valueIn(own());
    const last = [...differing.values()].at(-1);
    if (ours !== null && last !== undefined) {
      undecidedRounds++;
      const isUndecided = undecidedRounds >= undecidedRoundsMax || askable.size === 0;
      const isOurs = [ours, ...agreeing].some(({ isProven }) => isProven);
      if (
        differing.size >= majority ? !onlyOursIsProven(ours, differing) : isUndecided && !isOurs
      ) {
        throw differs(problem, ours, last, [...differing.keys()]);
      }
    }
    if (askable.size > 0) await sleep(askAgainMs, signal);
  }
}

/** With this value a chain was built, and with none of the others: most members are new, and wrong. */
function onlyOursIsProven({ isProven }: Value, differing: ReadonlyMap<string, Value>): boolean {
  return isProven && [...differing.values()].every((theirs) => !theirs.isProven);
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

function differs(
  problem: Aspect["problem"],
  own: Value,
  theirs: Value,
  peerIds: readonly string[],
): ConfigError {
  const where = `${own.text} here and ${theirs.text} on ${peerIds.join(", ")}`;
  return new ConfigError([{ severity: "error", origin: { kind: "default" }, ...problem(where) }]);
}
