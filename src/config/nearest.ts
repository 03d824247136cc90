/** The word that somebody who wrote another one probably meant. */

/**
 * The candidate with the fewest edits from `word`, else the only one that goes on where it ends
 * (`heartbeat` for `heartbeat_timeout`); null if none is near. Case does not count.
 */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const lower = word.toLowerCase();
  if (lower === "") return null;
  // A third of the letters may be wrong; beyond that a suggestion would only mislead.
  let fewest = Math.max(1, Math.floor(lower.length / 3)) + 1;
  let found: string | null = null;
  for (const candidate of candidates) {
    // It takes at least as many edits as the lengths differ by: a very long word is near to nothing, and is not compared.
    if (Math.abs(candidate.length - lower.length) >= fewest) continue;
    const edits = editDistance(lower, candidate.toLowerCase());
    if (edits < fewest) {
      fewest = edits;
      found = candidate;
    }
  }
  if (found !== null) return found;
  const longer = candidates.filter((candidate) => candidate.toLowerCase().startsWith(`${lower}_`));
  return longer.length === 1 ? (longer[0] ?? null) : null;
}

/** Optimal string alignment: insertions, deletions, substitutions, and swaps of neighbours. */
export function editDistance(a: string, b: string): number {
  // Three rows of the table, used in turn: there are a hundred words to compare with.
  let beforePrevious = new Uint32Array(b.length + 1);
  let previous = Uint32Array.from({ length: b.length + 1 }, (_, column) => column);
  let current = new Uint32Array(b.length + 1);
  for (let row = 1; row <= a.length; row++) {
    current[0] = row;
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      let edits = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (isSame ? 0 : 1),
      );
      const isSwap =
        row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (isSwap) edits = Math.min(edits, at(beforePrevious, column - 2) + 1);
      current[column] = edits;
    }
    [beforePrevious, previous, current] = [previous, current, beforePrevious];
  }
  return at(previous, b.length);
}

function at(row: Uint32Array, column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
