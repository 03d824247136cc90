/** Messages on a stream: a uvarint length, then as many bytes (go-header's delimited protobuf). */

import { concatBytes } from "../base/bytes.ts";
import { malformed, overLimit } from "./errors.ts";

const moreBit = 0x80;
/** Lengths of up to 2^28; a fifth byte would be beyond every limit. */
const lengthMaxBytes = 4;
const what = "framed message";

export function encodeFrame(message: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = message.length;
  for (; rest >= moreBit; rest = Math.floor(rest / moreBit))
    length.push((rest % moreBit) | moreBit);
  length.push(rest);
  return concatBytes([Uint8Array.from(length), message]);
}

/** Finds the messages in a stream that comes in pieces. Holds one unfinished message at most. */
export class FrameDecoder {
  readonly #maxBytes: number;
  #chunks: Uint8Array[] = [];
  #bufferedBytes = 0;
  /** Bytes that must be there before it is worth looking again. */
  #neededBytes = 1;

  /** Throws BlockError for a message longer than `maxBytes`, before it is read. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** True in the middle of a message: a stream that ends here was cut. */
  get isInsideFrame(): boolean {
    return this.#bufferedBytes > 0;
  }

  /** The messages that `chunk` completes. They are views on it, or on a copy. */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
    if (this.#bufferedBytes < this.#neededBytes) return [];
    // Joined only now: a large message that comes in many pieces is copied once, not once a piece.
    let rest = this.#chunks.length === 1 ? chunk : concatBytes(this.#chunks);
    const messages: Uint8Array[] = [];
    for (;;) {
      const frame = this.#readLength(rest);
      if (frame === null) break;
      this.#neededBytes = frame.from + frame.length;
      if (rest.length < this.#neededBytes) return this.#keep(rest, messages);
      messages.push(rest.subarray(frame.from, this.#neededBytes));
      rest = rest.subarray(this.#neededBytes);
    }
    this.#neededBytes = rest.length + 1;
    return this.#keep(rest, messages);
  }

  #keep(rest: Uint8Array, messages: Uint8Array[]): Uint8Array[] {
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#bufferedBytes = rest.length;
    return messages;
  }

  /** Null if the length is not there yet. */
  #readLength(bytes: Uint8Array): { readonly from: number; readonly length: number } | null {
    let length = 0;
    for (let at = 0; at < lengthMaxBytes; at++) {
      const byte = bytes[at];
      if (byte === undefined) return null;
      length += (byte & (moreBit - 1)) * moreBit ** at;
      if (length > this.#maxBytes) {
        throw overLimit(what, "length in bytes", { limit: this.#maxBytes, got: length });
      }
      if (byte < moreBit) return { from: at + 1, length };
    }
    throw malformed(what);
  }
}
