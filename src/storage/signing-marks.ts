/**
 * Which hash may be signed at which height (P4). Pure: the store makes a mark durable before the
 * signature is made, and forgets it once the block at that height says the same.
 *
 *   height    ... 7   8   9   10
 *   blocks    ... x   x                  their hashes are final
 *   marks             8   9   10         to be signed, or signed already; 10 is the watermark
 *
 * Marks follow on the blocks, or on one another: a height below the watermark without either would never be
 * signed again, nor a block stored there.
 */
import { assert } from "../base/assert.ts";
import { equalBytes, toHex } from "../base/bytes.ts";
import type { Height } from "../block/types.ts";
import { StorageError } from "./errors.ts";

export interface SigningMark {
  readonly height: Height;
  readonly hash: Uint8Array;
}

export type MarkVerdict = "new" | "known";

export class SigningMarks {
  readonly #marks = new Map<Height, Uint8Array>();
  /** Added, and not yet on disk. */
  readonly #onTheirWay = new Set<Height>();
  #highest: SigningMark | null = null;

  /** `marks` are on disk. */
  constructor(marks: Iterable<SigningMark>) {
    for (const mark of marks) this.#add(mark);
  }

  /** The highest height that was ever marked. */
  get watermark(): SigningMark | null {
    return this.#highest;
  }

  hashAt(height: Height): Uint8Array | null {
    return this.#marks.get(height) ?? null;
  }

  /**
   * Whether `mark` needs to be recorded before it is signed. `storedHash` is the hash of the block at
   * that height, null without one. Throws STORAGE_DOUBLE_SIGN if another hash was or may have been signed.
   */
  check(mark: SigningMark, storedHash: Uint8Array | null): MarkVerdict {
    const signedHash = storedHash ?? this.hashAt(mark.height);
    if (signedHash !== null) {
      if (equalBytes(signedHash, mark.hash)) return "known";
      throw doubleSign(mark, signedHash);
    }
    // Below the watermark something was signed, and nothing here says what.
    if (this.#highest !== null && mark.height <= this.#highest.height) throw doubleSign(mark, null);
    return "new";
  }

  /** The next mark above a chain that reaches to `headHeight`; on its way to the disk until `written` says otherwise. */
  add(mark: SigningMark, headHeight: Height): void {
    const { height } = mark;
    const follows = height <= headHeight + 1 || this.#marks.has(height - 1);
    assert(follows, "marks have no gap", { height, headHeight });
    this.#add(mark);
    this.#onTheirWay.add(height);
  }

  #add(mark: SigningMark): void {
    this.#marks.set(mark.height, mark.hash);
    if (this.#highest === null || mark.height > this.#highest.height) this.#highest = mark;
  }

  get onTheirWay(): readonly Height[] {
    return [...this.#onTheirWay];
  }

  isOnItsWay(height: Height): boolean {
    return this.#onTheirWay.has(height);
  }

  written(heights: readonly Height[]): void {
    for (const height of heights) this.#onTheirWay.delete(height);
  }

  /** Marks that the blocks up to `height` make superfluous; the watermark stays. Removes them. */
  takeCovered(height: Height): readonly Height[] {
    const covered: Height[] = [];
    for (const marked of this.#marks.keys()) {
      if (marked <= height && marked !== this.#highest?.height) covered.push(marked);
    }
    for (const marked of covered) this.#marks.delete(marked);
    return covered;
  }
}

function doubleSign({ height, hash }: SigningMark, signed: Uint8Array | null): StorageError {
  const signedHash = signed === null ? null : `0x${toHex(signed)}`;
  const refusedHash = `0x${toHex(hash)}`;
  const what = signedHash === null ? "a block that is not stored here" : `block ${signedHash}`;
  return new StorageError(
    { code: "STORAGE_DOUBLE_SIGN", height, signedHash, refusedHash },
    `Refused to sign block ${refusedHash} at height ${height}: this node has already signed ${what} ` +
      "there. Two chains share this home, or its disk went back in time: compare the hash with " +
      "the other nodes before starting it again.",
  );
}
