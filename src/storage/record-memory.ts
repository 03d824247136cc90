/**
 * Memory for the records of one transaction after the other. It lies outside V8's heap, and as much of it as blocks bring
 * in, allocated anew for each record, has V8 collect its whole heap many times a second.
 */

import { assert } from "../base/assert.ts";
import { emptyBytes, uninitialisedBytes } from "../base/bytes.ts";

/** More than this in one transaction is allocated for it alone. */
const keptMaxBytes = 4 * 1024 * 1024;
const keptMinBytes = 64 * 1024;

export class RecordMemory {
  #kept: Uint8Array = emptyBytes;
  #usedBytes = 0;
  #wantedBytes = 0;
  #isInUse = false;

  /** A transaction begins. What was taken for the last one, which is over, is overwritten from now on. */
  begin(): void {
    assert(!this.#isInUse, "one transaction at a time has its records in this memory");
    this.#isInUse = true;
    if (this.#wantedBytes > this.#kept.length && this.#kept.length < keptMaxBytes) {
      const sizeBytes = Math.max(keptMinBytes, 2 ** Math.ceil(Math.log2(this.#wantedBytes)));
      this.#kept = uninitialisedBytes(Math.min(sizeBytes, keptMaxBytes));
    }
    this.#usedBytes = 0;
    this.#wantedBytes = 0;
  }

  /** The transaction is on disk, and nobody reads its records any more. */
  end(): void {
    this.#isInUse = false;
  }

  /** May hold what was there before. */
  take(sizeBytes: number): Uint8Array {
    this.#wantedBytes += sizeBytes;
    const end = this.#usedBytes + sizeBytes;
    if (end > this.#kept.length) return uninitialisedBytes(sizeBytes);
    const taken = this.#kept.subarray(this.#usedBytes, end);
    this.#usedBytes = end;
    return taken;
  }
}
