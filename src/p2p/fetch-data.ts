/** The data of blocks whose headers are proven, in ascending height. */

import { setImmediate } from "node:timers/promises";
import { assert, defined } from "../base/assert.ts";
import { equalBytes } from "../base/bytes.ts";
import { dataHashes } from "../block/hash.ts";
import type { Data, Height, SignedHeader } from "../block/types.ts";
import { mismatch } from "../block/verdict.ts";
import { checkData } from "../block/verify.ts";
import type { Exchange, Range } from "./exchange.ts";
import { fetchRange, type ItemSource } from "./fetcher.ts";
import type { FetchedHeader, Lie } from "./header-chain.ts";
import { inOrder } from "./in-order.ts";
import { rangeMax, responseSoftMaxBytes } from "./limits.ts";
import { Pace } from "./motion.ts";
import type { PeerPool } from "./peer-pool.ts";

/** Ranges of data asked for and not yet handed over; of each wait a few MiB at most, see `wantedBytes`. */
const rangesAhead = 8;

/**
 * Ranges are made so long that an answer has about this size. Where blocks turn out larger than those before, the
 * rest of a range is fetched when its turn has come: what waits stays bounded, however large blocks are.
 */
const wantedBytes = responseSoftMaxBytes / 2;

/** A block that is on the committed chain, with its signature and its data. */
export interface FetchedBlock {
  readonly height: Height;
  readonly hash: Uint8Array;
  readonly header: SignedHeader;
  readonly data: Data;
  /** With the metadata: the next block's `lastDataHash`. */
  readonly dataHash: Uint8Array;
}

interface FetchedData {
  readonly data: Data;
  readonly commitment: Uint8Array;
  readonly hash: Uint8Array;
  readonly sizeBytes: number;
  readonly peerId: string;
}

export class DataFetcher {
  readonly #exchange: Exchange;
  readonly #pool: PeerPool;
  readonly #pace = new Pace();
  /** Of the last answers; begins low, so that the first ranges are short. */
  #bytesPerBlock = wantedBytes / 16;

  constructor(exchange: Exchange, pool: PeerPool) {
    this.#exchange = exchange;
    this.#pool = pool;
  }

  /** The blocks of `headers`, which are proven and follow each other; `lastDataHash` is of the block before them. */
  async *blocks(
    headers: readonly FetchedHeader[],
    lastDataHash: Uint8Array,
    signal: AbortSignal,
  ): AsyncGenerator<FetchedBlock, void, undefined> {
    const source = this.#source(headers);
    const pool = this.#pool;
    const ranges = inOrder(this.#upward(headers), {
      ahead: rangesAhead,
      signal,
      run: async (range, either) => ({
        range,
        fetched: await fetchRange(source, range, pool, either),
      }),
    });
    let expected = lastDataHash;
    for await (const { range, fetched } of ranges) {
      let items = fetched;
      for (let from = range.from; from <= range.to; ) {
        const rest = { from, to: range.to };
        if (items.length === 0) items = await fetchRange(source, rest, pool, signal);
        const lie = brokenDataLink(items, expected);
        if (lie !== null) {
          pool.drop(lie.peerId, lie.reason);
          items = [];
          continue;
        }
        for (const { data, hash: dataHash } of items) {
          const { signed: header, hash } = headerAt(headers, from);
          expected = dataHash;
          yield { height: from, hash, header, data, dataHash };
          from++;
        }
        items = [];
        await setImmediate();
      }
    }
  }

  #source(headers: readonly FetchedHeader[]): ItemSource<Data, FetchedData> {
    return {
      ask: async (peerId, range, signal, onReceived) => {
        const answer = await this.#exchange.data(peerId, range, signal, onReceived);
        if (answer.kind === "items") {
          const bytesPerBlock = answer.sizeBytes / answer.items.length;
          this.#bytesPerBlock += (bytesPerBlock - this.#bytesPerBlock) / 4;
        }
        return answer;
      },
      pace: this.#pace,
      take: (data, peerId) => ({ data, ...dataHashes(data), sizeBytes: bytesOf(data), peerId }),
      isEnough: (items) => items.reduce((bytes, item) => bytes + item.sizeBytes, 0) >= wantedBytes,
      refuse: (items) => {
        for (const { data, commitment } of items) {
          const height = defined(data.metadata, "the exchange checked the height").height;
          const { header } = headerAt(headers, height).signed;
          const refusal = checkData(header, data, commitment);
          if (refusal !== null) return `data of block ${height}: ${refusal.reason}`;
        }
        const [first, ...rest] = items;
        return first === undefined ? null : (brokenDataLink(rest, first.hash)?.reason ?? null);
      },
    };
  }

  *#upward(headers: readonly FetchedHeader[]): Generator<Range> {
    const last = defined(headers.at(-1), "a segment has headers").signed.header.height;
    let from = last - headers.length + 1;
    while (from <= last) {
      const amount = Math.min(Math.max(1, Math.floor(wantedBytes / this.#bytesPerBlock)), rangeMax);
      const to = Math.min(from + amount - 1, last);
      yield { from, to };
      from = to + 1;
    }
  }
}

function headerAt(headers: readonly FetchedHeader[], height: Height): FetchedHeader {
  const [lowest] = headers;
  const at = height - defined(lowest, "a segment has headers").signed.header.height;
  const found = defined(headers[at], "data is asked for within its segment");
  assert(found.signed.header.height === height, "headers have no gap", { height });
  return found;
}

function bytesOf({ txs }: Data): number {
  return txs.reduce((bytes, tx) => bytes + tx.length, 0);
}

/**
 * Each data names the hash of the one before. The header does not cover that name, so data may pass for
 * its header's and still be altered there.
 */
function brokenDataLink(items: readonly FetchedData[], lastDataHash: Uint8Array): Lie | null {
  let expected = lastDataHash;
  for (const { data, hash, peerId } of items) {
    const metadata = defined(data.metadata, "the exchange checked the height");
    if (!equalBytes(metadata.lastDataHash, expected)) {
      const why = mismatch("the last data's hash", metadata.lastDataHash, expected);
      return { peerId, reason: `data of block ${metadata.height}: ${why}` };
    }
    expected = hash;
  }
  return null;
}
