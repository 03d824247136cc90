/** ev-node's test vectors, read as what they are: JSON from outside. */

import { defined } from "../../src/base/assert.ts";
import { fromHex } from "../../src/base/bytes.ts";
import vectors from "./vectors/evnode-vectors.json" with { type: "json" };

export interface Vector {
  readonly input: unknown;
  readonly expected: unknown;
}

/** The vector with this name. */
export function vector(name: string): Vector {
  const found: readonly { readonly name: string; input: unknown; expected: unknown }[] = vectors;
  return defined(
    found.find((entry) => entry.name === name),
    `there is a vector ${name}`,
  );
}

/** The member of `object` at `path`, which must be there. */
export function at(object: unknown, ...path: readonly (string | number)[]): unknown {
  let value = object;
  for (const key of path) {
    if (typeof value !== "object" || value === null) throw new TypeError(`no ${path.join(".")}`);
    value = Reflect.get(value, key);
  }
  if (value === undefined) throw new TypeError(`no ${path.join(".")}`);
  return value;
}

export function text(object: unknown, ...path: readonly (string | number)[]): string {
  const value = at(object, ...path);
  if (typeof value !== "string") throw new TypeError(`${path.join(".")} is no text`);
  return value;
}

export function number(object: unknown, ...path: readonly (string | number)[]): number {
  const value = at(object, ...path);
  if (typeof value !== "number") throw new TypeError(`${path.join(".")} is no number`);
  return value;
}

/** Bytes as the vectors write them: hexadecimal, with `hex:` before it or not, or `utf8:` and a text. */
export function bytes(object: unknown, ...path: readonly (string | number)[]): Uint8Array {
  const value = text(object, ...path);
  if (value.startsWith("utf8:")) return new TextEncoder().encode(value.slice(5));
  return defined(fromHex(value.replace(/^hex:/, "")), `${path.join(".")} is hexadecimal`);
}
