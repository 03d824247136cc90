/** Asks one peer for one range, and checks what can be checked without knowing the chain. */

import type { Stream } from "@libp2p/interface";
import { describeError } from "../base/coded-error.ts";
import { BlockError } from "../block/errors.ts";
import { exchangeMessageMaxBytes } from "../block/limits.ts";
import {
  decodeHeaderResponse,
  decodeP2PData,
  decodeP2PSignedHeader,
  encodeHeaderRequest,
} from "../block/p2p-codec.ts";
import type { Data, Height, SignedHeader } from "../block/types.ts";
import { answerTimeoutMs, headerResponseMaxBytes, responseSoftMaxBytes } from "./limits.ts";
import { type OnReceived, ProgressDeadline } from "./motion.ts";
import {
  decodeServed,
  exchangeProtocol,
  type ItemKind,
  type Served,
  servedMaxBytes,
  servedProtocol,
} from "./protocol.ts";
import { asError, readFrames, sendFrame } from "./stream.ts";

/** Heights `from` to `to`, both included. */
export interface Range {
  readonly from: Height;
  readonly to: Height;
}

export type Answer<Item> =
  /** The first items of the range, one at least, in order. */
  | {
      readonly kind: "items";
      readonly items: readonly Item[];
      readonly sizeBytes: number;
      /** Why there are not more, if that speaks against the peer. */
      readonly failure: string | null;
    }
  | { readonly kind: "notFound" }
  /** Reset, timed out, not connected, or another protocol: it may do better next time. */
  | { readonly kind: "noAnswer"; readonly reason: string }
  /** No honest peer answers like this. */
  | { readonly kind: "misbehaved"; readonly reason: string };

/** What the exchange needs of the host. */
export interface StreamOpener {
  openStream(peerId: string, protocol: string, signal: AbortSignal): Promise<Stream>;
}

interface Question {
  readonly kind: ItemKind;
  readonly peerId: string;
  readonly range: Range;
  readonly onReceived: OnReceived | undefined;
}

/** What the peer sent is wrong. */
class Misbehaviour extends Error {
  override readonly name = "Misbehaviour";
}

export class Exchange {
  readonly #chainId: string;
  readonly #timeoutMs: number;
  readonly #streams: StreamOpener;

  constructor(
    options: { readonly chainId: string; readonly timeoutMs?: number },
    streams: StreamOpener,
  ) {
    this.#chainId = options.chainId;
    this.#timeoutMs = options.timeoutMs ?? answerTimeoutMs;
    this.#streams = streams;
  }

  /** Never throws for what the peer does. */
  headers(
    peerId: string,
    range: Range,
    signal: AbortSignal,
    onReceived?: OnReceived,
  ): Promise<Answer<SignedHeader>> {
    const question = { kind: "headers", peerId, range, onReceived } as const;
    return this.#ask(question, signal, (body, height) => {
      const { signed } = decodeP2PSignedHeader(body);
      return expectHeight(signed, signed.header.height, height);
    });
  }

  /** Never throws for what the peer does. */
  data(
    peerId: string,
    range: Range,
    signal: AbortSignal,
    onReceived?: OnReceived,
  ): Promise<Answer<Data>> {
    const question = { kind: "data", peerId, range, onReceived } as const;
    return this.#ask(question, signal, (body, height) => {
      const { data } = decodeP2PData(body);
      return expectHeight(data, data.metadata?.height ?? null, height);
    });
  }

  /** Which blocks the peer says it serves; null if it does not say, as an ev-node. */
  async served(peerId: string, signal: AbortSignal): Promise<Served | null> {
    const statements: Served[] = [];
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    const limits = { frameMaxBytes: servedMaxBytes, signal: AbortSignal.any([signal, deadline]) };
    try {
      await this.#withStream(peerId, servedProtocol, limits.signal, (stream) =>
        readFrames(stream, limits, (frame) => {
          statements.push(decodeServed(frame));
          return "enough";
        }),
      );
    } catch {
      return null;
    }
    return statements[0] ?? null;
  }

  async #ask<Item>(
    { kind, peerId, range, onReceived }: Question,
    signal: AbortSignal,
    decode: (body: Uint8Array, height: Height) => Item,
  ): Promise<Answer<Item>> {
    const collected = new Collected(range, decode);
    const frameMaxBytes = kind === "headers" ? headerResponseMaxBytes : exchangeMessageMaxBytes;
    const deadline = new ProgressDeadline(this.#timeoutMs);
    const limits = {
      frameMaxBytes,
      signal: AbortSignal.any([signal, deadline.signal]),
      onReceived: (sizeBytes: number) => {
        deadline.received(sizeBytes);
        onReceived?.(sizeBytes);
      },
    };
    const amount = range.to - range.from + 1;
    const request = encodeHeaderRequest({ kind: "range", origin: range.from, amount });
    try {
      await this.#withStream(
        peerId,
        exchangeProtocol(this.#chainId, kind),
        limits.signal,
        async (stream) => {
          const read = readFrames(stream, limits, (frame) => collected.add(frame));
          await Promise.all([read, ask(stream, request, limits.signal)]);
        },
      );
      return collected.answer(null);
    } catch (error) {
      if (error instanceof Misbehaviour || error instanceof BlockError) {
        return { kind: "misbehaved", reason: `at height ${collected.next}: ${error.message}` };
      }
      return collected.answer(describeError(error));
    } finally {
      deadline.end();
    }
  }

  async #withStream(
    peerId: string,
    protocol: string,
    signal: AbortSignal,
    use: (stream: Stream) => Promise<void>,
  ): Promise<void> {
    const stream = await this.#streams.openStream(peerId, protocol, signal);
    try {
      await use(stream);
      await stream.close({ signal });
      // Whatever else the peer may want to say is not waited for.
      if (stream.status === "open") stream.abort(new Error("the answer is complete"));
    } catch (error) {
      stream.abort(asError(error));
      throw error;
    }
  }
}

/** Sends the request and ends our side, which go-header waits for. */
async function ask(stream: Stream, request: Uint8Array, signal: AbortSignal): Promise<void> {
  await sendFrame(stream, request, signal);
  await stream.close({ signal });
}

function expectHeight<Item>(item: Item, got: Height | null, expected: Height): Item {
  if (got === expected) return item;
  throw new Misbehaviour(`it sent ${got === null ? "data without metadata" : `height ${got}`}`);
}

/** The responses of one answer, as far as they came. */
class Collected<Item> {
  readonly #range: Range;
  readonly #decode: (body: Uint8Array, height: Height) => Item;
  readonly #items: Item[] = [];
  #sizeBytes = 0;
  #isNotFound = false;

  constructor(range: Range, decode: (body: Uint8Array, height: Height) => Item) {
    this.#range = range;
    this.#decode = decode;
  }

  /** The height that the next response must be of. */
  get next(): Height {
    return this.#range.from + this.#items.length;
  }

  add(frame: Uint8Array): "more" | "enough" {
    const response = decodeHeaderResponse(frame);
    if (response.kind === "invalid") {
      throw new Misbehaviour(`it answered with status ${response.statusCode}`);
    }
    if (this.#isNotFound || (response.kind === "notFound" && this.#items.length > 0)) {
      throw new Misbehaviour("it said NOT_FOUND and sent more than that");
    }
    if (response.kind === "notFound") {
      this.#isNotFound = true;
      return "more";
    }
    if (this.next > this.#range.to) throw new Misbehaviour("it sent more items than asked for");
    this.#items.push(this.#decode(response.body, this.next));
    this.#sizeBytes += frame.length;
    // Memory is ours to guard: an ev-node sends all 64 blocks, however large. The rest is asked for again.
    return this.#sizeBytes >= responseSoftMaxBytes ? "enough" : "more";
  }

  /** `failure`: what ended the answer, null if the peer did. */
  answer(failure: string | null): Answer<Item> {
    if (this.#items.length > 0) {
      return { kind: "items", items: this.#items, sizeBytes: this.#sizeBytes, failure };
    }
    if (this.#isNotFound) return { kind: "notFound" };
    return { kind: "noAnswer", reason: failure ?? "it ended the stream without an answer" };
  }
}
