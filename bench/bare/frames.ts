/** What a bare commit sends: frames that are told apart by nothing but their size. */

export const answerBytes = 64;

export class FrameCounter {
  readonly #frameBytes: number;
  #bytes = 0;

  constructor(frameBytes: number) {
    this.#frameBytes = frameBytes;
  }

  /** How many frames end in this chunk. */
  take(chunk: Uint8Array): number {
    this.#bytes += chunk.length;
    const frames = Math.floor(this.#bytes / this.#frameBytes);
    this.#bytes -= frames * this.#frameBytes;
    return frames;
  }
}
