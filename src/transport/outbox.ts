/**
 * What goes out on one connection: in pieces, each when the kernel has taken the one before. So it is seen how far a
 * slow link has come, whatever it carries. All that one turn of the event loop writes leaves in one `writev`, up to
 * the size of a piece.
 */

import type { Socket } from "node:net";

const pieceBytes = 64 * 1024;

/**
 * `hasMoved`: the kernel had no room for them at first, so that the other side must have received something since.
 * What it takes at once may only lie in its buffer.
 */
export type OnTaken = (sizeBytes: number, hasMoved: boolean) => void;

interface Chunk {
  readonly bytes: Uint8Array;
  readonly onTaken: OnTaken;
}

export class Outbox {
  readonly #socket: Socket;
  #waiting: Chunk[] = [];
  #waitingBytes = 0;
  /** A piece is with the kernel, or about to be: the next follows by itself. */
  #isSending = false;
  #waitedMs = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Bytes that the kernel has not taken. */
  get queuedBytes(): number {
    return this.#waitingBytes + this.#socket.writableLength;
  }

  /**
   * How long the kernel made a piece wait lately, if not the last one. It makes room by the megabyte: so something may
   * move all the time and yet be seen to move every second only.
   */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  /** `onTaken` is told of each part that the kernel has taken; of none once the connection is lost. */
  write(chunks: readonly Uint8Array[], onTaken: OnTaken): void {
    for (const bytes of chunks) {
      this.#waiting.push({ bytes, onTaken });
      this.#waitingBytes += bytes.length;
    }
    if (this.#isSending) return;
    this.#isSending = true;
    process.nextTick(() => this.#send());
  }

  /** Hands over whatever waits: the connection is about to be closed, which delivers what its socket has. */
  release(): void {
    for (const { bytes } of this.#waiting) this.#socket.write(bytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #send(): void {
    const piece = this.#nextPiece();
    this.#isSending = piece.length > 0;
    if (!this.#isSending) return;
    const sentAtMs = performance.now();
    let isTakenAtOnce = false;
    const onWritten = (error?: Error | null) => {
      // A connection that is lost says so itself.
      if (error !== undefined && error !== null) return;
      if (!isTakenAtOnce) {
        this.#waitedMs = Math.max(performance.now() - sentAtMs, this.#waitedMs / 2);
      }
      for (const { bytes, onTaken } of piece) onTaken(bytes.length, !isTakenAtOnce);
      this.#send();
    };
    this.#socket.cork();
    for (const [at, { bytes }] of piece.entries()) {
      if (at === piece.length - 1) this.#socket.write(bytes, onWritten);
      else this.#socket.write(bytes);
    }
    this.#socket.uncork();
    // The callback comes later all the same.
    isTakenAtOnce = this.#socket.writableLength === 0;
  }

  #nextPiece(): readonly Chunk[] {
    const piece: Chunk[] = [];
    let roomBytes = pieceBytes;
    let at = 0;
    for (; at < this.#waiting.length && roomBytes > 0; at++) {
      const chunk = this.#waiting[at];
      if (chunk === undefined) break;
      const bytes = chunk.bytes.subarray(0, roomBytes);
      piece.push({ ...chunk, bytes });
      roomBytes -= bytes.length;
      if (bytes.length === chunk.bytes.length) continue;
      this.#waiting[at] = { ...chunk, bytes: chunk.bytes.subarray(bytes.length) };
      break;
    }
    this.#waiting.splice(0, at);
    this.#waitingBytes -= pieceBytes - roomBytes;
    return piece;
  }
}
