/**
 * Cuts a TCP stream into frames. A frame that arrives in one piece is handed on as a view of that
 * piece; the pieces of any other are copied together once it is complete.
 *
 *   request   type byte | msgpack map           (then, for InstallSnapshot, `Size` raw bytes)
 *   response  msgpack error string | msgpack map
 */

import { assert } from "../base/assert.ts";
import { concatBytes, emptyBytes, uninitialisedBytes } from "../base/bytes.ts";
import { badFrame } from "./errors.ts";
import { ValueScanner } from "./msgpack-scanner.ts";
import { rpcType } from "./wire-structs.ts";

export interface Frame {
  /** The type byte of a request; null for a response, and for a raw stream. */
  readonly type: number | null;
  readonly bytes: Uint8Array;
}

const requestTypes: ReadonlySet<number> = new Set(Object.values(rpcType));

export class FrameReader {
  readonly #kind: "request" | "response";
  readonly #scanner: ValueScanner;
  #chunk: Uint8Array = emptyBytes;
  #at = 0;
  /** The type byte, once it has been read. */
  #type: number | null = null;
  readonly #gathered: GatherBuffer = new GatherBuffer();
  /** Set while the raw bytes behind an InstallSnapshot are being received. */
  #stream: { readonly bytes: Uint8Array; received: number } | null = null;
  #totalBytes = 0;

  constructor(kind: "request" | "response", sizeMaxBytes: number) {
    this.#kind = kind;
    this.#scanner = new ValueScanner(sizeMaxBytes);
    this.#beginFrame();
  }

  /** Whether the stream stands in the middle of a frame. */
  get isPartial(): boolean {
    return this.#type !== null || this.#gathered.length > 0 || this.#stream !== null;
  }

  /** All bytes ever pushed: shows whether a partial frame makes progress. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  push(chunk: Uint8Array): void {
    this.#totalBytes += chunk.length;
    const rest = this.#chunk.subarray(this.#at);
    // Something is left only when the caller stopped reading between two frames.
    this.#chunk = rest.length === 0 ? chunk : concatBytes([rest, chunk]);
    this.#at = 0;
  }

  /** The next complete frame; null until more bytes are pushed. Throws a bad-frame error. */
  next(): Frame | null {
    if (this.#stream !== null) return this.#nextStream(this.#stream);
    if (this.#at === this.#chunk.length) return null;
    if (this.#kind === "request" && this.#type === null) this.#type = this.#readType();
    const end = this.#scanner.feed(this.#chunk, this.#at);
    if (end === -1) {
      this.#gathered.append(this.#chunk.subarray(this.#at));
      this.#consume(this.#chunk.length);
      return null;
    }
    const tail = this.#chunk.subarray(this.#at, end);
    const bytes = this.#gathered.length === 0 ? tail : this.#gathered.finish(tail);
    const frame = { type: this.#type, bytes };
    this.#consume(end);
    this.#beginFrame();
    return frame;
  }

  /** The next frame is the `size` raw bytes that follow, as they are. */
  expectStream(size: number): void {
    assert(!this.isPartial, "a raw stream begins between two frames");
    // Memory that is not touched costs nothing: a peer that announces much and sends little gets little.
    this.#stream = { bytes: new Uint8Array(size), received: 0 };
  }

  #nextStream(stream: { readonly bytes: Uint8Array; received: number }): Frame | null {
    const wanted = stream.bytes.length - stream.received;
    const part = this.#chunk.subarray(this.#at, this.#at + wanted);
    stream.bytes.set(part, stream.received);
    stream.received += part.length;
    this.#consume(this.#at + part.length);
    if (stream.received < stream.bytes.length) return null;
    this.#stream = null;
    return { type: null, bytes: stream.bytes };
  }

  #readType(): number {
    const type = this.#chunk[this.#at] ?? 0;
    if (!requestTypes.has(type)) {
      throw badFrame(`unknown request type 0x${type.toString(16).padStart(2, "0")}`);
    }
    this.#at++;
    return type;
  }

  #beginFrame(): void {
    this.#type = null;
    this.#scanner.begin(this.#kind === "request" ? 1 : 2);
  }

  /** Lets go of the chunk as soon as it is read: an idle connection holds no memory. */
  #consume(end: number): void {
    this.#at = end;
    if (end < this.#chunk.length) return;
    this.#chunk = emptyBytes;
    this.#at = 0;
  }
}

/** A piece of at least so much is kept as it came. Smaller ones are copied together: each would hold an allocation. */
const keptPieceMinBytes = 1024;
const slabMinBytes = 2 * 1024;
const slabMaxBytes = 64 * 1024;

/** The pieces of one frame. They take about the memory that has really arrived, whatever the frame announces. */
class GatherBuffer {
  #pieces: Uint8Array[] = [];
  #length = 0;
  /** Small pieces in a row; those before `#slabFrom` are in `#pieces` already. */
  #slab: Uint8Array = emptyBytes;
  #slabFrom = 0;
  #slabTo = 0;

  get length(): number {
    return this.#length;
  }

  append(piece: Uint8Array): void {
    this.#length += piece.length;
    if (piece.length >= keptPieceMinBytes) {
      this.#cutSlab();
      this.#pieces.push(piece);
      return;
    }
    if (this.#slabTo + piece.length > this.#slab.length) {
      this.#cutSlab();
      this.#slab = uninitialisedBytes(Math.min(slabMaxBytes, Math.max(slabMinBytes, this.#length)));
      this.#slabFrom = 0;
      this.#slabTo = 0;
    }
    this.#slab.set(piece, this.#slabTo);
    this.#slabTo += piece.length;
  }

  /** The whole frame, `tail` being its last piece, in memory of its own; the buffer is empty again. */
  finish(tail: Uint8Array): Uint8Array {
    this.#cutSlab();
    const frame = concatBytes([...this.#pieces, tail]);
    this.#pieces = [];
    this.#length = 0;
    this.#slab = emptyBytes;
    this.#slabFrom = 0;
    this.#slabTo = 0;
    return frame;
  }

  #cutSlab(): void {
    if (this.#slabTo === this.#slabFrom) return;
    this.#pieces.push(this.#slab.subarray(this.#slabFrom, this.#slabTo));
    this.#slabFrom = this.#slabTo;
  }
}
