/** Assertions. They are for bugs, not for input, and stay on in production: a dead server is safe. */

/** A broken invariant: the process must stop, since nothing it would do next can be trusted. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(invariant: string, facts: Readonly<Record<string, unknown>> = {}) {
    super(`invariant broken: ${invariant}${describe(facts)}`);
    this.facts = facts;
  }
}

/** Throws {@link InvariantError} unless `condition` holds. `invariant` states what must be true. */
export function assert(
  condition: boolean,
  invariant: string,
  facts?: Readonly<Record<string, unknown>>,
): asserts condition {
  if (!condition) throw new InvariantError(invariant, facts);
}

/** For the default of a `switch` over a union: compiles only if every member is handled. */
export function unreachable(value: never): never {
  throw new InvariantError("every case is handled", { value });
}

/** `value`, which the caller knows to be there. Throws {@link InvariantError} if it is not. */
export function defined<T>(value: T | null | undefined, invariant: string): T {
  if (value === null || value === undefined) throw new InvariantError(invariant);
  return value;
}

function describe(facts: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(facts).map(([key, value]) => `${key}=${show(value)}`);
  return parts.length === 0 ? "" : ` (${parts.join(" ")})`;
}

function show(value: unknown): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return String(value);
  return (
    JSON.stringify(value, (_key, part: unknown) =>
      typeof part === "bigint"
        ? part.toString()
        : part instanceof Uint8Array
          ? `${part.length} bytes`
          : part,
    ) ?? "undefined"
  );
}
