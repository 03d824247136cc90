/**
 * Fetches the blocks between our head and one that Raft committed: downward in trust, upward in height
 * (`anchors.ts`). Nothing is handed over that is not proven to lie on the committed chain; who sends
 * anything else is not asked again.
 */

import { assert, defined } from "../base/assert.ts";
import { equalBytes } from "../base/bytes.ts";
import { SignatureChecker } from "../block/sign.ts";
import type { ChainHead } from "../block/types.ts";
import { adopt, nextToProve, type Segment, segmentsUpward } from "./anchors.ts";
import { diverged, progressDamaged } from "./errors.ts";
import type { OnP2pEvent } from "./event.ts";
import type { Exchange } from "./exchange.ts";
import { DataFetcher, type FetchedBlock } from "./fetch-data.ts";
import { fetchHeaders, type HeaderFetch, headerSource } from "./fetch-headers.ts";
import { type Anchor, type FetchedHeader, findForgery, parentHashOf } from "./header-chain.ts";
import { answerTimeoutMs } from "./limits.ts";
import { PeerPool } from "./peer-pool.ts";
import { ProgressMeter, type ProgressStore } from "./progress.ts";

/** Headers held at once are those of two segments: about 1 KB each. */
const segmentLengthDefault = 2048;

export interface BackfillOptions {
  readonly chainId: string;
  readonly proposerAddress: Uint8Array;
  readonly segmentLength?: number;
}

export interface BackfillDependencies {
  readonly exchange: Exchange;
  /** Peer ids connected now. */
  readonly connected: () => readonly string[];
  readonly progress: ProgressStore;
  readonly onEvent: OnP2pEvent;
  /** Milliseconds of a clock that only runs forward. */
  readonly nowMs: () => number;
}

export interface Gap {
  /** Our head: the first block fetched is the one above it. */
  readonly parent: Pick<ChainHead, "height" | "hash" | "dataHash">;
  /** The last block fetched, whose hash Raft vouches for. */
  readonly target: Anchor;
}

/** One per process: it remembers who lied. */
export class Backfill {
  readonly #options: BackfillOptions;
  readonly #dependencies: BackfillDependencies;
  readonly #pool: PeerPool;
  readonly #segmentLength: number;
  readonly #signatures = new SignatureChecker();

  constructor(options: BackfillOptions, dependencies: BackfillDependencies) {
    const { exchange, connected, onEvent, nowMs } = dependencies;
    this.#options = options;
    this.#dependencies = dependencies;
    this.#segmentLength = options.segmentLength ?? segmentLengthDefault;
    assert(this.#segmentLength > 0, "a segment has blocks");
    this.#pool = new PeerPool(options.chainId, {
      connected,
      served: (peerId) => exchange.served(peerId, AbortSignal.timeout(answerTimeoutMs)),
      nowMs,
      onEvent,
    });
  }

  /** Peers that served what no honest peer serves, with the reason. */
  get droppedPeers(): ReadonlyMap<string, string> {
    return this.#pool.dropped;
  }

  /**
   * Every block of the gap, in ascending height. The next ones are fetched while the caller works on one, a
   * bounded number ahead. Waits for peers as long as it takes; throws the signal's reason, and P2pError
   * if the committed chain does not go through our head or is not of our genesis.
   */
  async *blocks(
    { parent, target }: Gap,
    signal: AbortSignal,
  ): AsyncGenerator<FetchedBlock, void, undefined> {
    assert(target.height >= parent.height, "a backfill goes up", {
      parent: parent.height,
      target: target.height,
    });
    if (target.height === parent.height) return checkOwn(parent, target.hash);
    const anchors = await this.#prove(parent.height + 1, target, signal);
    yield* this.#climb(parent, anchors, signal);
  }

  /** The way down. */
  async #prove(bottom: number, target: Anchor, signal: AbortSignal): Promise<readonly Anchor[]> {
    const { progress, onEvent, nowMs } = this.#dependencies;
    const meter = new ProgressMeter("headers", onEvent, nowMs);
    const saved = progress.load();
    const route = { bottom, length: this.#segmentLength, saved };
    let anchors = adopt([target], saved, bottom);
    for (let range = nextToProve(anchors, route); range !== null; ) {
      const topHash = defined(anchors.at(-1), "the target is an anchor").hash;
      const segment = { segment: range, topHash, findForgery: () => null };
      const headers = await this.#headers(segment, signal);
      const hash = parentHashOf(defined(headers[0], "a segment has headers"));
      anchors = adopt([...anchors, { height: range.from - 1, hash }], saved, bottom);
      await progress.save({ anchors });
      meter.advance(headers.length, range.from, range.from - bottom);
      range = nextToProve(anchors, route);
    }
    return anchors;
  }

  /** The way up. */
  async *#climb(
    parent: Gap["parent"],
    anchors: readonly Anchor[],
    signal: AbortSignal,
  ): AsyncGenerator<FetchedBlock, void, undefined> {
    const { exchange, onEvent, nowMs } = this.#dependencies;
    // Counts from the first block on: the headers before it say nothing about the blocks' rate.
    let meter: ProgressMeter | null = null;
    const fetcher = new DataFetcher(exchange, this.#pool);
    const top = defined(anchors[0], "the target is an anchor").height;
    let { height, hash, dataHash } = parent;
    const segments = segmentsUpward(anchors, height + 1);
    const ended = new AbortController();
    const either = AbortSignal.any([signal, ended.signal]);
    let coming = this.#begin(segments[0], either);
    try {
      for (const [at] of segments.entries()) {
        const headers = await coming;
        checkSeam(defined(headers[0], "a segment has headers"), { height, hash }, parent);
        coming = this.#begin(segments[at + 1], either);
        for await (const block of fetcher.blocks(headers, dataHash, either)) {
          meter ??= new ProgressMeter("blocks", onEvent, nowMs);
          ({ height, hash, dataHash } = block);
          signal.throwIfAborted();
          yield block;
          meter.advance(1, height, top - height);
        }
      }
    } finally {
      ended.abort();
      await Promise.allSettled([coming]);
    }
    assert(height === top, "a backfill ends at its target", { height, top });
  }

  /** The headers of a segment, fetched while the one below it is worked on. */
  #begin(segment: Segment | undefined, signal: AbortSignal): Promise<readonly FetchedHeader[]> {
    if (segment === undefined) return Promise.resolve([]);
    const { range, topHash } = segment;
    const expected = { ...this.#options, signatures: this.#signatures };
    const headers = this.#headers(
      { segment: range, topHash, findForgery: (fetched) => findForgery(fetched, expected) },
      signal,
    );
    // Its failure is told when its turn comes; until then nobody listens.
    headers.catch(() => {});
    return headers;
  }

  #headers(fetch: HeaderFetch, signal: AbortSignal): Promise<readonly FetchedHeader[]> {
    return fetchHeaders(fetch, headerSource(this.#dependencies.exchange), this.#pool, signal);
  }
}

function checkOwn(parent: Gap["parent"], hash: Uint8Array): void {
  if (!equalBytes(parent.hash, hash)) throw diverged(parent.height, parent.hash, hash);
}

/** Where a segment meets what is below it: our own head, or the segment before. */
function checkSeam(
  lowest: FetchedHeader,
  below: { readonly height: number; readonly hash: Uint8Array },
  parent: Gap["parent"],
): void {
  const named = lowest.signed.header.lastHeaderHash;
  if (equalBytes(named, below.hash)) return;
  if (below.height === parent.height) throw diverged(parent.height, below.hash, named);
  // Both hashes were taken for proven, and this one is by what is above it.
  throw progressDamaged(below.height);
}
