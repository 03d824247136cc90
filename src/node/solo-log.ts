/**
 * A single sequencer that becomes a member of a cluster brings its blocks, and leaves its log behind. That log
 * may hold blocks which are not in the block store: when it was killed, those that were acknowledged a
 * moment before; when it was stopped, the one that was under way. They are applied first, so that none is
 * lost (P7).
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { decodeBlockPayload } from "../block/codec.ts";
import { SignatureChecker } from "../block/sign.ts";
import type { Height } from "../block/types.ts";
import { ConfigError } from "../config/problem.ts";
import type { Executor } from "../execution/executor.ts";
import type { LogReader } from "../raft/ready.ts";
import type { Entry } from "../raft/types.ts";
import { Applier } from "../sequencer/applier.ts";
import type { BlockStore } from "../storage/block-store.ts";
import { openRaftStore } from "../storage/open-raft-store.ts";
import { raftFileName } from "../storage/raft-tables.ts";
import { type NodeContext, soloDirOf } from "./context.ts";

export interface SoloLogDependencies {
  readonly store: BlockStore;
  readonly executor: Executor;
}

/** Before this node asks or tells anybody what it has. Throws what no retry can mend. */
export async function applySoloLog(
  context: NodeContext,
  { store, executor }: SoloLogDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { raft, storage, ...config } = context.options.config;
  const directory = soloDirOf(config);
  const isFirst = raft.enable && !existsSync(join(context.raftDir, raftFileName));
  if (!isFirst || !existsSync(directory)) return;
  const { allowVolatile } = storage;
  const raftStore = await openRaftStore({ directory, allowVolatile });
  try {
    const from = store.head.height;
    const blocks = blocksAbove(from, raftStore.log);
    const [first, last] = [blocks.at(0), blocks.at(-1)];
    if (first === undefined || last === undefined) return;
    if (first.height > from + 1) throw beginsAbove(directory, from, first.height, last.height);
    const entries = blocks.map(({ entry }) => entry);
    await apply(context, { store, executor }, entries, signal);
    await store.flushed();
    const facts = { from, to: store.head.height, index: last.entry.index };
    context.log.info(facts, "blocks of the single sequencer's log applied");
  } finally {
    await raftStore.close();
  }
}

/** This member's blocks were moved away, for a damaged disk or to begin anew, and this log was left behind. */
function beginsAbove(directory: string, height: Height, first: Height, last: Height): ConfigError {
  const has = height === 0 ? "none of the blocks before" : `blocks up to ${height} only`;
  const message =
    `${directory} is the log of a single sequencer with the blocks ${first} to ${last}, and this node has ${has}. ` +
    "If other members hold the chain, move that directory away, too: the blocks come from them. If none does, " +
    "bring the block data back from a backup: without it these heights would be signed a second time";
  return new ConfigError([
    { severity: "error", origin: { kind: "default" }, key: "db_path", message },
  ]);
}

interface LoggedBlock {
  readonly height: Height;
  readonly entry: Entry;
}

/** Those above `height`. The log has one voter: what it holds is committed. */
function blocksAbove(height: Height, log: LogReader): readonly LoggedBlock[] {
  const above: LoggedBlock[] = [];
  for (let index = log.lastIndex; index >= log.firstIndex; index--) {
    const [entry] = log.entries(index, index, Number.MAX_SAFE_INTEGER);
    if (entry === undefined || entry.kind !== "command" || entry.data === null) continue;
    const block = { height: decodeBlockPayload(entry.data).height, entry };
    if (block.height <= height) break;
    above.unshift(block);
  }
  return above;
}

async function apply(
  { options, genesis, log }: NodeContext,
  { store, executor }: SoloLogDependencies,
  entries: readonly Entry[],
  signal: AbortSignal,
): Promise<void> {
  const done = new AbortController();
  const lastIndex = entries.at(-1)?.index;
  const applier = new Applier(
    { chainId: genesis.chainId, head: store.head, acceptsBlocksWithoutTxIds: true },
    {
      store,
      executor,
      source: noPeers,
      signer: options.home.signer,
      signatures: new SignatureChecker(),
      listener: {
        applied: () => {},
        unidentified: () => {},
        refused: ({ index }, _payload, reason) => log.warn({ index, reason }, "block refused"),
        reached: (index) => {
          if (index === lastIndex) done.abort();
        },
        timed: () => {},
        executionFailed: (height, { message: reason }) =>
          log.warn({ height, reason }, "execution failed, retrying"),
        executed: () => {},
        backlogChanged: () => {},
      },
    },
  );
  applier.begin(store.head.raftIndex);
  applier.enqueue(entries);
  await applier.run(AbortSignal.any([signal, done.signal]));
  signal.throwIfAborted();
}

/** The log continues the blocks, so none is missing below it. */
const noPeers = {
  blocks: () => {
    throw new Error("a single sequencer's log begins above its blocks");
  },
  txIds: async () => [],
};
