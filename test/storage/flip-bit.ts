/** A flipped bit, as a bad disk or cable makes them. */

import { readFileSync, writeFileSync } from "node:fs";

/**
 * Inverts one bit at every place in a closed file that holds `pattern`: LMDB leaves older copies of its
 * pages behind. Throws if there is none.
 */
export function flipBit(path: string, pattern: string | Uint8Array): void {
  const bytes = readFileSync(path);
  const places: number[] = [];
  for (let at = bytes.indexOf(pattern); at >= 0; at = bytes.indexOf(pattern, at + 1)) {
    places.push(at);
  }
  if (places.length === 0) throw new Error(`${path} does not hold what is to be damaged`);
  for (const at of places) bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}
