/**
 * Serves blocks to peers. Bounded in every direction: requests under way for a peer and in all, items
 * and bytes in an answer, the wait for each step, and bytes a second while this node has better to do.
 */

import { setImmediate } from "node:timers/promises";
import type { Stream } from "@libp2p/interface";
import { InvariantError } from "../base/assert.ts";
import { concatBytes } from "../base/bytes.ts";
import { CodedError, describeError } from "../base/coded-error.ts";
import { sleep } from "../base/task-group.ts";
import { encodeFrame } from "../block/framing.ts";
import {
  decodeHeaderRequest,
  encodeHeaderResponse,
  type HeaderRequest,
} from "../block/p2p-codec.ts";
import { readableBlock } from "../block/readable.ts";
import type { BlockReader } from "../block/types.ts";
import { ServeBudget } from "./budget.ts";
import type { OnP2pEvent } from "./event.ts";
import type { P2pHost } from "./host.ts";
import {
  budgetTimeoutMs,
  requestMaxBytes,
  requestsMax,
  requestsPerPeerMax,
  requestTimeoutMs,
  responseSoftMaxBytes,
  writeBatchBytes,
  writeTimeoutMs,
} from "./limits.ts";
import { ReaderAllowance } from "./motion.ts";
import {
  encodeServed,
  exchangeProtocol,
  type ItemKind,
  servedBy,
  servedProtocol,
} from "./protocol.ts";
import { encodeItem, planAnswer } from "./serve.ts";
import { ended, readFrames, sendBytes, sendFrame } from "./stream.ts";

export interface BlockServerDependencies {
  readonly blocks: BlockReader;
  /** Bytes a second that may be served now: less while this node leads; Infinity for no limit. */
  readonly serveBudget: () => number;
  readonly onEvent: OnP2pEvent;
}

/** A request that is not answered; the stream is reset. */
class RequestRefused extends Error {
  override readonly name = "RequestRefused";
}

export class BlockServer {
  readonly #chainId: string;
  readonly #blocks: BlockReader;
  readonly #budget: ServeBudget;
  readonly #onEvent: OnP2pEvent;
  readonly #requestsOf = new Map<string, number>();
  #requests = 0;

  constructor(
    { chainId }: { readonly chainId: string },
    { blocks, serveBudget, onEvent }: BlockServerDependencies,
  ) {
    this.#chainId = chainId;
    this.#blocks = blocks;
    this.#budget = new ServeBudget(serveBudget, () => performance.now());
    this.#onEvent = onEvent;
  }

  /** Adds the protocols to `host`, which has not started. */
  register(host: P2pHost): void {
    for (const kind of ["headers", "data"] as const) {
      host.handle(exchangeProtocol(this.#chainId, kind), (stream, peerId) =>
        this.#admit(peerId, () => this.#answer(kind, stream)),
      );
    }
    host.handle(servedProtocol, (stream, peerId) =>
      this.#admit(peerId, () => this.#tellServed(stream)),
    );
  }

  async #admit(peerId: string, answer: () => Promise<void>): Promise<void> {
    const ofPeer = this.#requestsOf.get(peerId) ?? 0;
    try {
      if (ofPeer >= requestsPerPeerMax || this.#requests >= requestsMax) {
        throw new RequestRefused(
          `${ofPeer} of its requests and ${this.#requests} in all are under way`,
        );
      }
      this.#requestsOf.set(peerId, ofPeer + 1);
      this.#requests++;
      try {
        await answer();
      } finally {
        this.#leave(peerId);
      }
    } catch (error) {
      if (error instanceof RequestRefused) {
        this.#onEvent({ kind: "requestRefused", peerId, reason: error.message });
      } else if (isOurs(error)) {
        this.#onEvent({ kind: "serveFailed", peerId, error });
      }
      throw error;
    }
  }

  #leave(peerId: string): void {
    this.#requests--;
    const left = (this.#requestsOf.get(peerId) ?? 0) - 1;
    if (left > 0) this.#requestsOf.set(peerId, left);
    else this.#requestsOf.delete(peerId);
  }

  async #answer(kind: ItemKind, stream: Stream): Promise<void> {
    const request = await readRequest(stream);
    const plan = planAnswer(request, this.#blocks);
    switch (plan.kind) {
      case "reset":
        throw new RequestRefused(plan.reason);
      case "notFound":
        await send(stream, encodeHeaderResponse({ kind: "notFound" }));
        break;
      case "items":
        await this.#sendItems(kind, plan, stream);
        break;
    }
    await finish(stream);
  }

  /** A prefix of the range: it ends early for bytes, for the budget, and at a block that is gone meanwhile. */
  async #sendItems(
    kind: ItemKind,
    { from, to }: { readonly from: number; readonly to: number },
    stream: Stream,
  ): Promise<void> {
    await this.#affordable(AbortSignal.timeout(budgetTimeoutMs));
    const batch = new Batch(stream);
    for (let height = from; height <= to; height++) {
      if (height > from && this.#mustEnd(batch.totalBytes)) break;
      const block = readableBlock(this.#blocks, height);
      if (block === null) {
        if (height === from) await batch.add(encodeHeaderResponse({ kind: "notFound" }));
        break;
      }
      const response = encodeItem(kind, block);
      if (response === null) throw new RequestRefused(`block ${height} is too large to serve`);
      this.#budget.spend(response.length);
      await batch.add(response);
    }
    await batch.flush();
  }

  #mustEnd(sentBytes: number): boolean {
    return sentBytes >= responseSoftMaxBytes || this.#budget.waitMs() > 0;
  }

  async #affordable(deadline: AbortSignal): Promise<void> {
    for (;;) {
      const waitMs = this.#budget.waitMs();
      if (waitMs === 0) return;
      // In steps: the budget grows at once when this node stops leading.
      await sleep(Math.min(waitMs, 100), deadline);
      deadline.throwIfAborted();
    }
  }

  async #tellServed(stream: Stream): Promise<void> {
    await send(stream, encodeServed(servedBy(this.#chainId, this.#blocks)));
    await finish(stream);
  }
}

/** Of the store, or a bug. All else comes of a peer that stopped reading or went away, which is no news. */
function isOurs(error: unknown): boolean {
  const kinds = [CodedError, InvariantError, TypeError, RangeError, ReferenceError];
  return kinds.some((kind) => error instanceof kind);
}

/** Collects small items and sends them in one piece, and large ones in many. */
class Batch {
  readonly #stream: Stream;
  #frames: Uint8Array[] = [];
  #waitingBytes = 0;
  totalBytes = 0;
  readonly #allowance = new ReaderAllowance();

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  async add(message: Uint8Array): Promise<void> {
    const frame = encodeFrame(message);
    this.#frames.push(frame);
    this.#waitingBytes += frame.length;
    this.totalBytes += frame.length;
    if (this.#waitingBytes >= writeBatchBytes) await this.flush();
  }

  async flush(): Promise<void> {
    const frames = concatBytes(this.#frames);
    this.#frames = [];
    this.#waitingBytes = 0;
    for (let at = 0; at < frames.length; at += writeBatchBytes) {
      const piece = frames.subarray(at, at + writeBatchBytes);
      const leftMs = this.#allowance.leftMs(this.totalBytes);
      await sendBytes(this.#stream, piece, AbortSignal.timeout(leftMs));
    }
    // Reading and encoding are synchronous: heartbeats and clients come in between (P13).
    await setImmediate();
  }
}

async function readRequest(stream: Stream): Promise<HeaderRequest> {
  let request: HeaderRequest | null = null;
  const limits = {
    frameMaxBytes: requestMaxBytes,
    signal: AbortSignal.timeout(requestTimeoutMs),
  };
  try {
    await readFrames(stream, limits, (frame) => {
      request = decodeHeaderRequest(frame);
      return "enough";
    });
  } catch (error) {
    throw new RequestRefused(`its request could not be read: ${describeError(error)}`, {
      cause: error,
    });
  }
  if (request === null) throw new RequestRefused("it opened a stream and asked for nothing");
  return request;
}

function send(stream: Stream, message: Uint8Array): Promise<void> {
  return sendFrame(stream, message, AbortSignal.timeout(writeTimeoutMs));
}

/** Ends our side, and waits for the peer to end its own: until then the stream costs memory. */
async function finish(stream: Stream): Promise<void> {
  const deadline = AbortSignal.timeout(writeTimeoutMs);
  await stream.close({ signal: deadline });
  await ended(stream, deadline);
}
