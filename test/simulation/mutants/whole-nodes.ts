/** What breaks above the log: building, signing, executing and acknowledging blocks (P2, P4, P5, P7, P8). */

import { type Edit, type Mutant, mutant } from "./mutant.ts";

/**
 * What keeps a second block of a height from the marks: a leader builds before it has applied all that is committed, so
 * that the log may have one, and no node refuses it as late. Without a break of the marks, they end the node then.
 */
const signsLateBlocks: readonly Edit[] = [
  {
    file: "sequencer/state.ts",
    find: "facts.appliedIndex >= firstCommitIndex && !facts.lacksBlocks",
    replace: "!facts.lacksBlocks",
  },
  {
    file: "sequencer/applier.ts",
    find: "const verdict = checkBlock(payload, this.head, this.#expected);",
    replace:
      'const isLate = payload.height === this.head.height;\n    const verdict = isLate ? { kind: "ok", dataHash: this.head.dataHash } : checkBlock(payload, this.head, this.#expected);',
  },
  {
    file: "sequencer/chain-writer.ts",
    find: "const isSigned = header.signature.length > 0;",
    replace:
      "const isSigned = header.signature.length > 0;\n    if (height === this.#head.height) {\n      await this.#store.setWatermark({ height, hash });\n      this.#signer.sign(header.header);\n      return null;\n    }",
  },
];

export const wholeMutants: readonly Mutant[] = [
  mutant({
    id: "signs-without-mark",
    breaks: "a block is signed before the disk says which one that height's is (P4)",
    edits: [
      {
        file: "sequencer/chain-writer.ts",
        find: "isSigned ? null : this.#store.setWatermark({ height, hash }),",
        replace: "null,",
      },
    ],
    caughtAs: ["a height is signed once"],
    isWhole: true,
  }),
  mutant({
    id: "signs-when-mark-fails",
    breaks: "a block is signed although the disk could not take its mark (P4)",
    edits: [
      {
        file: "sequencer/chain-writer.ts",
        find: "isSigned ? null : this.#store.setWatermark({ height, hash }),",
        replace: "isSigned ? null : this.#store.setWatermark({ height, hash }).catch(() => {}),",
      },
    ],
    caughtAs: ["a height is signed once"],
    isWhole: true,
  }),
  mutant({
    id: "signs-twice",
    breaks: "the marks take another hash for a height that is signed, where one comes to them (P4)",
    edits: [
      ...signsLateBlocks,
      {
        file: "storage/signing-marks.ts",
        find: "throw doubleSign(mark, signedHash);",
        replace: 'return "new";',
      },
    ],
    caughtAs: ["a height is signed once"],
    isWhole: true,
  }),
  mutant({
    id: "executes-what-it-builds",
    breaks: "a leader has its block executed when it builds it, before it is committed (P2)",
    edits: [
      {
        file: "sequencer/producer.ts",
        find: "if (txs instanceof ExecutionError) return txs;",
        replace:
          "if (txs instanceof ExecutionError) return txs;\n  await executor.executeTxs({ height: request.height, timestampNs: request.timestampNs, txs: txs.map(({ tx }) => tx), prevAppHash: head.appHash });",
      },
    ],
    caughtAs: ["nothing happens before commit"],
    isWhole: true,
  }),
  mutant({
    id: "executes-again",
    breaks: "nobody looks whether a transaction is in an earlier block (P7)",
    edits: [
      {
        file: "sequencer/producer.ts",
        find: "skip: (tx) => skip(tx) || isKnownTx(tx.id),",
        replace: "skip,",
      },
      {
        file: "block/validate.ts",
        find: "if (expected.isKnownTx(id)) {",
        replace: "if (false) {",
      },
      {
        file: "sequencer/submission.ts",
        find: 'if (location !== null) return { kind: "committed", txId, location };',
        replace: "",
      },
    ],
    caughtAs: ["transactions are executed once"],
    isWhole: true,
  }),
  mutant({
    id: "acknowledges-what-it-offers",
    breaks: "a transaction is acknowledged with the block that it should be in (P7)",
    edits: [
      {
        file: "sequencer/submission.ts",
        find: "const fate = await this.#fateOf(this.#pend(txId, tx), signal);",
        replace:
          'this.#pend(txId, tx);\n    const fate = { kind: "committed", location: { height: this.#store.head.height + 1, index: 0 } };',
      },
    ],
    caughtAs: ["acknowledged means durable"],
    isWhole: true,
  }),
  mutant({
    id: "accepts-before-disk",
    breaks: "a transaction is accepted before it is on disk (P7)",
    edits: [
      {
        file: "sequencer/submission.ts",
        find: "await this.#store.keepTx(txId, tx);",
        replace: "this.#store.keepTx(txId, tx).catch(() => {});",
      },
    ],
    caughtAs: ["progress"],
    isWhole: true,
  }),
  mutant({
    id: "fetched-without-identities",
    breaks: "blocks from peers are stored without the identities that a snapshot has of them (P7)",
    edits: [
      {
        file: "sequencer/catch-up.ts",
        find: "const txIds = txIdsAt.get(block.height) ?? [];",
        replace: "const txIds: readonly Uint8Array[] = [];",
      },
    ],
    caughtAs: ["one block at a height"],
    isWhole: true,
  }),
  mutant({
    id: "failing-client-leads",
    breaks: "a node whose execution client fails says that it is fit to lead (P5)",
    edits: [
      {
        file: "sequencer/readiness.ts",
        find: 'if (facts.failingMs > facts.unreadyAfterMs) return "the execution client fails";',
        replace: "",
      },
    ],
    caughtAs: ["progress"],
    isWhole: true,
  }),
  mutant({
    id: "lost-blocks-stay-lost",
    breaks: "an execution client that has lost blocks is not given them again (P8)",
    edits: [
      {
        file: "sequencer/chain-writer.ts",
        find: "if (isBehind) await this.#fillGap(error.detail.nextHeight, height, signal);",
        replace: "if (isBehind) await sleep(retryMs, signal);",
      },
    ],
    caughtAs: ["progress"],
    isWhole: true,
  }),
  mutant({
    id: "rejected-block-retried",
    breaks: "a node whose execution client holds a committed block for invalid asks it again",
    edits: [
      {
        file: "sequencer/chain-writer.ts",
        find: 'error instanceof ExecutionError && error.detail.code === "EXECUTION_UNAVAILABLE"',
        replace:
          'error instanceof ExecutionError && ["EXECUTION_UNAVAILABLE", "EXECUTION_REJECTED"].includes(error.code)',
      },
    ],
    caughtAs: ["progress"],
    isWhole: true,
  }),
  mutant({
    id: "time-goes-back",
    breaks:
      "a block has the time of its leader's clock, also where that lies before the last block's",
    edits: [
      {
        file: "block/build.ts",
        find: "return nowNs > earliestNs ? nowNs : earliestNs;",
        replace: "return nowNs;",
      },
    ],
    caughtAs: ["progress"],
    isWhole: true,
  }),
  mutant({
    id: "builds-while-stopping",
    breaks: "a node that was told to stop goes on building blocks (P9)",
    edits: [
      {
        file: "sequencer/state.ts",
        find: 'if (facts.isDraining) return { kind: "draining" };',
        replace: "",
      },
    ],
    caughtAs: ["a node that stops builds nothing"],
    isWhole: true,
  }),
  mutant({
    id: "snapshot-before-fsync",
    breaks: "a snapshot is taken of blocks that are not on disk yet, and their log removed (P7)",
    edits: [{ file: "sequencer/snapshot.ts", find: "await store.flushed();", replace: "" }],
    caughtAs: ["snapshots stand for the log"],
    isWhole: true,
  }),
  mutant({
    id: "own-time",
    breaks: "a block is executed at the time of the node's clock, not at its own (P1)",
    edits: [
      {
        file: "sequencer/chain-writer.ts",
        find: "timestampNs: timeNs,",
        replace: "timestampNs: BigInt(Math.floor(Date.now())) * 1_000_000n,",
      },
    ],
    caughtAs: ["nothing happens before commit", "one block at a height"],
    isWhole: true,
  }),
  mutant({
    id: "reads-before-applied",
    breaks: "a linearizable read does not wait until what is committed is applied",
    edits: [
      {
        file: "node/state-reads.ts",
        find: "await this.#sequencer.whenApplied(index, limit);",
        replace: "",
      },
    ],
    caughtAs: ["histories are linearizable"],
    isWhole: true,
  }),
  mutant({
    id: "lease-never-ends",
    breaks: "a main thread trusts the lease of its term although the time of it is over",
    edits: [
      {
        file: "consensus/shared-lease.ts",
        find: "Atomics.load(this.#slots, termSlot) === BigInt(term) && process.hrtime.bigint() < untilNs",
        replace: "Atomics.load(this.#slots, termSlot) === BigInt(term) && untilNs !== 0n",
      },
    ],
    caughtAs: ["one lease at a time"],
    seedsMax: 100,
    isWhole: true,
  }),
  mutant({
    id: "credit-held-back",
    breaks: "the consensus thread is told of what is applied only when the window fills (P8)",
    edits: [
      {
        file: "consensus/apply-credit.ts",
        find: "heldBackMaxBytes && heldBackEntries",
        replace: "heldBackMaxBytes || heldBackEntries",
      },
    ],
    caughtAs: ["progress"],
    isWhole: true,
  }),
  mutant({
    id: "unanswered-called-untaken",
    breaks: "an offer whose answer is lost counts as one that the leader has not heard (P7)",
    edits: [
      {
        file: "sequencer/forwarder.ts",
        find: 'if (reply.kind === "failed") return reply.failure === "unanswered";',
        replace: 'if (reply.kind === "failed") return false;',
      },
    ],
    caughtAs: ["what is refused stays out"],
    isWhole: true,
  }),
  mutant({
    id: "refused-while-offered",
    breaks:
      "a client hears that a transaction is in no block while an offer of it is under way (P7)",
    edits: [
      {
        file: "sequencer/forwarder.ts",
        find: "for (const pending of batch) pending.isBeingOffered = true;",
        replace: "",
      },
    ],
    caughtAs: ["what is refused stays out"],
    isWhole: true,
  }),
];
