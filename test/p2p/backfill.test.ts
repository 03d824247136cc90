import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { emptyBytes } from "../../src/base/bytes.ts";
import type { Backfill } from "../../src/p2p/backfill.ts";
import { P2pError } from "../../src/p2p/errors.ts";
import type { FetchedBlock } from "../../src/p2p/fetch-data.ts";
import { blockAt, buildChain, headAfter, MemoryBlocks } from "./chain.ts";
import { lies, lieTo, weaknesses } from "./liars.ts";
import { connectedTo, createBackfill, MemoryProgress, of, serving, until } from "./nodes.ts";

const chain = buildChain({ length: 700 });
const never = new AbortController().signal;

interface Run {
  readonly from?: number;
  readonly to?: number;
  readonly signal?: AbortSignal;
  readonly onBlock?: (block: FetchedBlock) => void | Promise<void>;
}

/** Runs a backfill, checks every block against the chain, and returns the last height. */
async function run(
  backfill: Backfill,
  { from = 0, to = chain.length, signal = never, onBlock }: Run = {},
): Promise<number> {
  const gap = { parent: headAfter(chain, from), target: blockAt(chain, to) };
  let height = from;
  for await (const block of backfill.blocks(gap, signal)) {
    height++;
    const { hash, header, data } = blockAt(chain, height);
    const { dataHash } = headAfter(chain, height);
    const expected = { height, hash, header, data, dataHash };
    // Some hundred times faster than `toEqual`, which then says what differs.
    if (!isDeepStrictEqual(block, expected)) expect(block).toStrictEqual(expected);
    await onBlock?.(block);
  }
  return height;
}

describe("a backfill", () => {
  it("fetches a whole chain from several peers, in order", async () => {
    const servers = await Promise.all(
      [1, 2, 3].map((number) => serving(number, new MemoryBlocks(chain))),
    );
    const node = await connectedTo(servers);
    expect(await run(createBackfill(node))).toBe(700);
    expect(of(node, "badPeer")).toEqual([]);
  });

  it("fetches one block, and none", async () => {
    const node = await connectedTo([await serving(1, new MemoryBlocks(chain))]);
    const backfill = createBackfill(node);
    expect(await run(backfill, { from: 699 })).toBe(700);
    expect(await run(backfill, { from: 700 })).toBe(700);
    expect(await run(backfill, { from: 0, to: 1 })).toBe(1);
  });

  it("resumes after an abort at any point, without proving hashes again", async () => {
    const node = await connectedTo([await serving(1, new MemoryBlocks(chain))]);
    const progress = new MemoryProgress();
    let height = 0;
    for (const stopAt of [1, 63, 64, 65, 300, 511, 512, 699]) {
      const abort = new AbortController();
      const onBlock = (block: FetchedBlock) => {
        height = block.height;
        if (height === stopAt) abort.abort(new Error("killed"));
      };
      const backfill = createBackfill(node, { progress });
      const running = run(backfill, { from: height, signal: abort.signal, onBlock });
      await expect(running).rejects.toThrow("killed");
      expect(height).toBe(stopAt);
    }
    expect(await run(createBackfill(node, { progress }), { from: height })).toBe(700);
    expect(progress.saves).toBe(2);
  });

  it("takes over the hashes proven for an older target", async () => {
    const blocks = new MemoryBlocks(chain);
    const node = await connectedTo([await serving(1, blocks)]);
    const progress = new MemoryProgress();
    const segmentLength = 64;
    const abort = new AbortController();
    const first = createBackfill(node, { progress, segmentLength });
    const onBlock = () => abort.abort(new Error("killed"));
    const running = run(first, { to: 600, signal: abort.signal, onBlock });
    await expect(running).rejects.toThrow("killed");
    expect(progress.saves).toBe(9);
    expect(await run(createBackfill(node, { progress, segmentLength }))).toBe(700);
    // 700 to 640, to the old target at 600; the rest was proven.
    expect(progress.saves).toBe(11);
    expect(progress.saved?.anchors.map(({ height }) => height).slice(0, 4)).toEqual([
      700, 640, 600, 576,
    ]);
  });

  it("waits for the caller: blocks ahead are few, whatever their size", async () => {
    const large = new Uint8Array(400_000).fill(1);
    const heavy = buildChain({ length: 150, txsAt: () => [large] });
    const node = await connectedTo([await serving(1, new MemoryBlocks(heavy))]);
    const gap = { parent: headAfter(heavy, 0), target: blockAt(heavy, 150) };
    let asked = 0;
    const { host } = node;
    const openStream = host.openStream.bind(host);
    host.openStream = (peerId, protocol, signal) => {
      if (protocol.includes("dataSync")) asked++;
      return openStream(peerId, protocol, signal);
    };
    const blocks = createBackfill(node, { timeoutMs: 60_000 }).blocks(gap, never);
    await blocks.next();
    // One range is taken and eight wait; then it must stop, since nobody takes them.
    await until(() => asked >= 8);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toBeLessThanOrEqual(9);
    let height = 1;
    for await (const block of blocks) expect(block.height).toBe(++height);
    expect(height).toBe(150);
  });

  it("takes no more into memory where large blocks follow small ones", async () => {
    const firstLarge = 900;
    const large = new Uint8Array(1_000_000).fill(1);
    const txsAt = (height: number) => (height < firstLarge ? [] : [large]);
    const mixed = buildChain({ length: firstLarge + 200, txsAt });
    const server = new MemoryBlocks(mixed);
    const node = await connectedTo([await serving(1, server)]);
    const largeRead = new Set<number>();
    const read = server.blockAt.bind(server);
    server.blockAt = (height) => {
      if (height >= firstLarge) largeRead.add(height);
      return read(height);
    };
    const gap = { parent: headAfter(mixed, 0), target: blockAt(mixed, mixed.length) };
    const backfill = createBackfill(node, { segmentLength: 2048, timeoutMs: 60_000 });
    let last = 0;
    for await (const { height } of backfill.blocks(gap, never)) {
      // The headers are there.
      if (height === 1) largeRead.clear();
      if (height === firstLarge) {
        for (let before = -1; before < largeRead.size; ) {
          before = largeRead.size;
          await new Promise((resolve) => setTimeout(resolve, 300));
        }
        // Four ranges of 64 are under way, and each has one answer.
        expect(largeRead.size).toBeLessThan(60);
      }
      last = height;
    }
    expect(last).toBe(mixed.length);
  });
});

describe("with two liars among four peers, a backfill completes and drops both (P12):", () => {
  it.each(lies)("$name", async (lie) => {
    const corrupt = { corrupt: (host: Parameters<typeof lieTo>[0]) => lieTo(host, chain, lie) };
    const servers = [
      await serving(1, new MemoryBlocks(chain), corrupt),
      await serving(2, new MemoryBlocks(chain)),
      await serving(3, new MemoryBlocks(chain), corrupt),
      await serving(4, new MemoryBlocks(chain)),
    ];
    const node = await connectedTo(servers);
    const backfill = createBackfill(node, { segmentLength: 512 });
    expect(await run(backfill)).toBe(700);
    const liars = [servers[0], servers[2]].map((server) => server?.host.peerId);
    expect([...backfill.droppedPeers.keys()].toSorted()).toEqual(liars.toSorted());
    expect(of(node, "badPeer").map(({ peerId }) => peerId)).toHaveLength(2);
  });
});

describe("beside an honest peer, a weak one costs time only:", () => {
  it.each(weaknesses)("one that $name", async (weakness) => {
    const servers = [
      await serving(1, new MemoryBlocks(chain), {
        corrupt: (host) => lieTo(host, chain, weakness),
      }),
      await serving(2, new MemoryBlocks(chain)),
    ];
    const node = await connectedTo(servers);
    const backfill = createBackfill(node, { segmentLength: 512 });
    expect(await run(backfill)).toBe(700);
    expect(backfill.droppedPeers.size).toBe(0);
  });
});

describe("pruned peers", () => {
  it("serve what they have; what they do not have comes from another", async () => {
    const servers = [
      await serving(1, new MemoryBlocks(chain, { earliest: 400 })),
      await serving(2, new MemoryBlocks(chain)),
    ];
    const node = await connectedTo(servers);
    expect(await run(createBackfill(node))).toBe(700);
  });

  it("are named with the oldest block there is, if nobody has older ones", async () => {
    const pruned = new MemoryBlocks(chain, { earliest: 500 });
    const server = await serving(1, pruned);
    const node = await connectedTo([server]);
    const running = run(createBackfill(node));
    await until(() => of(node, "waiting").length > 0);
    const { peerId } = server.host;
    expect(of(node, "waiting")[0]).toMatchObject({
      oldest: { height: 500, peerId },
      reason: expect.stringContaining(`the oldest one available is 500, from ${peerId}`),
    });
    pruned.earliest = 1;
    expect(await running).toBe(700);
  });

  it("nobody at all: it says so, waits and ends with the signal", async () => {
    const node = await connectedTo([]);
    const abort = new AbortController();
    const running = run(createBackfill(node), { signal: abort.signal });
    await until(() => of(node, "waiting").length > 0);
    expect(of(node, "waiting")[0]?.reason).toContain("p2p.peers");
    abort.abort(new Error("stopped"));
    await expect(running).rejects.toThrow("stopped");
  });
});

describe("a backfill ends with an error that helps", () => {
  it("if our head is not on the committed chain", async () => {
    const node = await connectedTo([await serving(1, new MemoryBlocks(chain))]);
    const parent = { ...headAfter(chain, 10), hash: new Uint8Array(32).fill(1) };
    const blocks = createBackfill(node).blocks({ parent, target: blockAt(chain, 20) }, never);
    const error = await blocks.next().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(P2pError);
    expect(error).toMatchObject({ detail: { code: "P2P_DIVERGED", height: 10 } });
  });

  it("if the committed chain is not of our genesis", async () => {
    const other = buildChain({ length: 20, chainId: "another-chain" });
    const node = await connectedTo([await serving(1, new MemoryBlocks(other))]);
    const parent = { height: 0, hash: emptyBytes, dataHash: emptyBytes };
    const blocks = createBackfill(node).blocks({ parent, target: blockAt(other, 20) }, never);
    await expect(blocks.next()).rejects.toMatchObject({ detail: { code: "P2P_FOREIGN_CHAIN" } });
  });
});

it("progress is told every two seconds, with a rate and what remains", async () => {
  const node = await connectedTo([await serving(1, new MemoryBlocks(chain))]);
  let nowMs = 0;
  const backfill = createBackfill(node, { segmentLength: 1024, nowMs: () => nowMs });
  await run(backfill, {
    onBlock: () => {
      nowMs += 10;
    },
  });
  const told = of(node, "progress");
  expect(told).toHaveLength(3);
  expect(told[0]).toMatchObject({ phase: "blocks", height: 200, remaining: 500, etaSeconds: 5 });
});
