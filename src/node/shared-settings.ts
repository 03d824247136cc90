/**
 * Settings that all members must have in common. A node that knows the identities of fewer blocks than the others builds
 * blocks with repetitions that they refuse, and one that knows more refuses theirs (P1, P7): it must not take part.
 */

import { z } from "zod";
import { sleep, TaskGroup } from "../base/task-group.ts";
import { ConfigError } from "../config/problem.ts";
import { majorityOf } from "../raft/quorum.ts";
import type { PeerReply } from "../sequencer/ports.ts";
import { asError, type NodeContext } from "./context.ts";
import { peerMethods } from "./peer-requests.ts";

const settingsSchema = z.object({ txIdentityWindow: z.int().positive() });

export type SharedSettings = z.output<typeof settingsSchema>;

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

export function sharedSettingsOf({ options }: NodeContext): SharedSettings {
  return { txIdentityWindow: options.config.cluster.txIdentityWindow };
}

/** Compares in the background: a node that was started with other settings than most ends. */
export function compareInBackground(
  context: NodeContext,
  askPeer: AskPeer,
): { stop(): Promise<void> } {
  const { addresses, nodeId, log } = context;
  const peerIds = [...addresses.keys()].filter((id) => id !== nodeId);
  const tasks = new TaskGroup((_name, error) => context.fail(asError(error)));
  tasks.spawn("settings", (signal) =>
    compareSettings(sharedSettingsOf(context), askPeer, peerIds, {
      signal,
      onDifference: (peerId, own, theirs) =>
        log.error(
          { peer: peerId, own, theirs },
          "cluster.tx_identity_window differs between members",
        ),
    }),
  );
  return { stop: () => tasks.stop() };
}

/**
 * Resolves once a majority has the same settings, nobody is left to be asked, or `signal` aborts. Throws a ConfigError that
 * names both values once a majority has others: one member that is wrong must not stop those that are right. Where it
 * stays open who is right, those that can be asked being too few, it throws too: going on could fork the chain.
 */
export async function compareSettings(
  own: SharedSettings,
  askPeer: AskPeer,
  peerIds: readonly string[],
  {
    signal,
    onDifference,
  }: {
    readonly signal: AbortSignal;
    /** Once for each member with another window. */
    readonly onDifference: (peerId: string, own: number, theirs: number) => void;
  },
): Promise<void> {
  const majority = majorityOf(peerIds.length + 1);
  const askable = new Set(peerIds);
  const differing = new Set<string>();
  let agreeing = 1;
  let theirLast = 0;
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
      const theirs = settingsIn(reply)?.txIdentityWindow ?? null;
      // Another program, or another version: it cannot say.
      if (theirs === null) continue;
      if (theirs === own.txIdentityWindow) agreeing++;
      else {
        differing.add(peerId);
        theirLast = theirs;
        onDifference(peerId, own.txIdentityWindow, theirs);
        if (differing.size >= majority) break;
      }
      if (agreeing >= majority) return;
    }
    if (differing.size > 0) undecidedRounds++;
    const isUndecided = undecidedRounds >= undecidedRoundsMax || askable.size === 0;
    if (differing.size >= majority || (differing.size > 0 && isUndecided)) {
      throw differs(own.txIdentityWindow, theirLast, [...differing]);
    }
    if (askable.size > 0) await sleep(askAgainMs, signal);
  }
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

function differs(own: number, theirs: number, peerIds: readonly string[]): ConfigError {
  return new ConfigError([
    {
      severity: "error",
      origin: { kind: "default" },
      key: "cluster.tx_identity_window",
      message:
        `is ${own} here and ${theirs} on ${peerIds.join(", ")}. Members with different windows disagree on which ` +
        "blocks are valid: write the same value everywhere. To change it, stop all members first",
    },
  ]);
}
