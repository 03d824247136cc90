/** What reading a text gives: a value, or what is wrong with it and what to write instead. */

export type Parsed<Value> =
  | { readonly ok: true; readonly value: Value }
  /** `problem` follows the key's name in a sentence: `"92" has no unit; write 92ms`. */
  | { readonly ok: false; readonly problem: string };

export function ok<Value>(value: Value): Parsed<Value> {
  return { ok: true, value };
}

export function fail(problem: string): Parsed<never> {
  return { ok: false, problem };
}
