/** Entries that come together, as to a node that catches up from the log: marked in one write (P4), signed in turn. */

import { afterEach, describe, expect, it } from "vitest";
import { defined } from "../../src/base/assert.ts";
import { decodeBlockPayload, encodeBlockPayload } from "../../src/block/codec.ts";
import type { CommittedEntry } from "../../src/sequencer/ports.ts";
import type { Sequencer } from "../../src/sequencer/sequencer.ts";
import { genesis, openChain, signer, startSequencer, TestLog, until } from "./fixtures.ts";

type OpenChain = Awaited<ReturnType<typeof openChain>>;

const chains: OpenChain[] = [];
const running: Sequencer[] = [];

afterEach(async () => {
  for (const sequencer of running.splice(0)) await sequencer.stop();
  for (const chain of chains.splice(0)) await chain.remove();
});

async function opened(...options: Parameters<typeof openChain>): Promise<OpenChain> {
  const chain = await openChain(...options);
  chains.push(chain);
  return chain;
}

/** The entries of the first `count` blocks of a leader. */
async function entriesOfLeader(
  count: number,
  chainId = genesis.chainId,
): Promise<readonly CommittedEntry[]> {
  const chain = await opened();
  const log = new TestLog();
  const { sequencer } = startSequencer(chain, log, { genesis: { ...genesis, chainId } });
  running.push(sequencer);
  const role = { role: "leader", term: 2, leaderId: "a", hasJoined: true } as const;
  sequencer.onRole({ ...role, isRecovering: false, commitIndex: 0 });
  await until(() => chain.store.head.height >= count);
  await sequencer.stop();
  return log.entries.slice(0, count);
}

/** As a leader wrote it that signs before commit. */
function signedEntry(entry: CommittedEntry): CommittedEntry {
  const payload = decodeBlockPayload(defined(entry.data, "a block is in it"));
  const header = signer.sign(payload.header.header);
  return { ...entry, data: encodeBlockPayload({ ...payload, header }) };
}

function numbered(entries: readonly CommittedEntry[]): readonly CommittedEntry[] {
  return entries.map((entry, at) => ({ ...entry, index: at + 1 }));
}

async function apply(chain: OpenChain, entries: readonly CommittedEntry[]) {
  const log = new TestLog();
  const { sequencer, recorded } = startSequencer(chain, log);
  running.push(sequencer);
  sequencer.onCommitted(entries, entries.length);
  await until(() => log.appliedIndex >= entries.length || recorded.failures.length > 0);
  expect(recorded.failures).toEqual([]);
  await sequencer.stop();
  return recorded;
}

describe("many entries that come at once", () => {
  it("take far fewer writes than blocks", async () => {
    const count = 200;
    const entries = await entriesOfLeader(count);
    let writes = 0;
    const disk = { began: () => writes++, ended: () => {} };
    // Nothing is written but what somebody waits for.
    const chain = await opened(undefined, { flushDelayMs: 3_600_000, disk });
    const before = writes;
    await apply(chain, entries);
    expect(chain.store.head.height).toBe(count);
    expect(writes - before).toBeLessThan(count / 4);
    expect(chain.store.watermark()).toMatchObject({ height: count, hash: chain.store.head.hash });
  });

  it.each(["suu", "usuu", "usus", "ssuuu", "uuuss"])(
    "are applied if some were signed before commit and some not (%s), also after a restart between any two",
    async (pattern) => {
      const unsigned = await entriesOfLeader(pattern.length);
      const entries = unsigned.map((entry, at) =>
        pattern[at] === "s" ? signedEntry(entry) : entry,
      );
      for (let first = 1; first <= entries.length; first++) {
        const chain = await openChain();
        await apply(chain, entries.slice(0, first));
        await chain.close();
        const again = await opened(chain.directory);
        await apply(again, entries);
        expect(again.store.head.height).toBe(entries.length);
      }
    },
  );

  it("are refused one by one where they are of another chain, and those of ours are applied", async () => {
    const foreign = await entriesOfLeader(3, "another-chain");
    const own = await entriesOfLeader(3);
    const chain = await opened();
    const recorded = await apply(chain, numbered([...foreign, ...own]));
    expect(recorded.refusals).toHaveLength(foreign.length);
    expect(chain.store.head.height).toBe(own.length);
  });
});
