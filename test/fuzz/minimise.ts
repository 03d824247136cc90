/** A shorter input with the same problem. */

import { concatBytes } from "../../src/base/bytes.ts";

const attemptsMax = 2_000;
/** An input that is slow makes slow attempts. */
const timeMaxMs = 5_000;

/** `isSame` tells whether an input shows the problem. */
export async function minimised(
  input: Uint8Array,
  isSame: (candidate: Uint8Array) => Promise<boolean>,
): Promise<Uint8Array> {
  let smallest = input;
  const endMs = performance.now() + timeMaxMs;
  let attempts = 0;
  const isWorthIt = () => attempts < attemptsMax && performance.now() < endMs;
  const isBetter = async (candidate: Uint8Array) => {
    attempts++;
    if (!(await isSame(candidate))) return false;
    smallest = candidate;
    return true;
  };
  for (let size = smallest.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < smallest.length && isWorthIt(); ) {
      const without = concatBytes([smallest.subarray(0, at), smallest.subarray(at + size)]);
      if (!(await isBetter(without))) at += size;
    }
  }
  return smallest;
}
