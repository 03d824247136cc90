/** A promise that did not hold in a simulation. */

/** What is checked; the names that a failing seed prints. */
export type Property =
  | "one leader a term"
  | "a leader only appends"
  | "logs match"
  | "a leader has all that is committed"
  | "committed stays committed"
  | "one block at a height"
  | "no gap and no repeat"
  | "snapshots stand for the log"
  | "bounded memory"
  | "one vote a term"
  | "promised means durable"
  | "reads are current"
  | "one lease at a time"
  | "histories are linearizable"
  | "proposals are answered truly"
  | "one entry a block"
  | "no match is forgotten"
  | "commits are told in time"
  | "the ready lead"
  | "no campaign without pre-votes"
  | "a leader without a majority steps down"
  | "leadership is handed to the caught up"
  | "progress"
  | "nothing happens before commit"
  | "a height is signed once"
  | "transactions are executed once"
  | "acknowledged means durable"
  | "what is refused stays out"
  | "a node that stops builds nothing"
  | "no invariant broken";

/** A promise that a node made and forgot shows as whatever it was made for. */
export const lostMemory: readonly Property[] = [
  "one leader a term",
  "one vote a term",
  "logs match",
  "a leader has all that is committed",
  "committed stays committed",
  "one block at a height",
];

/** A crash of the simulation counts as one of the product: neither has a reason to throw. */
export function violationOf(error: unknown): Violation {
  if (error instanceof Violation) return error;
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new Violation("no invariant broken", text, { cause: error });
}

export class Violation extends Error {
  override readonly name = "Violation";
  readonly property: Property;

  constructor(property: Property, facts: string, options?: ErrorOptions) {
    super(`${property}: ${facts}`, options);
    this.property = property;
  }
}
