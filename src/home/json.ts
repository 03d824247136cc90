/** Fields of a JSON file from outside. Each reader throws HomeError with the file's and the field's name. */

import { fieldError, notJson } from "./errors.ts";

export class JsonFields {
  readonly path: string;
  readonly #fields: ReadonlyMap<string, unknown>;

  /** Throws HomeError unless `text` is a JSON object. `advice` says where a good file comes from. */
  constructor(path: string, text: string, advice: string) {
    this.path = path;
    this.#fields = new Map(Object.entries(parseObject(path, text, advice)));
  }

  /** Null if the field is missing or null. */
  text(field: string): string | null {
    const value = this.#fields.get(field) ?? null;
    if (value === null || typeof value === "string") return value;
    throw fieldError(this.path, field, `${field} must be a text, and is ${kindOf(value)}`);
  }

  /** 0 if the field is missing or null, as in ev-node. */
  count(field: string): number {
    const value = this.#fields.get(field) ?? 0;
    const isNegativeZero = Object.is(value, -0);
    if (typeof value === "number" && Number.isSafeInteger(value) && !isNegativeZero) return value;
    const got = typeof value !== "number" ? kindOf(value) : isNegativeZero ? "-0" : String(value);
    throw fieldError(this.path, field, `${field} must be a whole number, and is ${got}`);
  }

  /** The bytes of a base64 field; null if it is missing or null. */
  bytes(field: string): Uint8Array | null {
    const text = this.text(field);
    if (text === null) return null;
    const bytes = Buffer.from(text, "base64");
    // Buffer skips what is not base64; a damaged key must not become another key.
    if (bytes.toString("base64") !== text) {
      throw fieldError(this.path, field, `${field} is not base64 (standard alphabet, padded)`);
    }
    return new Uint8Array(bytes);
  }

  /** The bytes of a base64 field that must be there. `lengths` are those allowed. */
  bytesOf(field: string, lengths: readonly number[]): Uint8Array {
    const bytes = this.bytes(field);
    if (bytes === null) throw fieldError(this.path, field, `${field} is missing`);
    if (lengths.includes(bytes.length)) return bytes;
    const expected = lengths.join(" or ");
    const sentence = `${field} must have ${expected} bytes, and has ${bytes.length}`;
    throw fieldError(this.path, field, sentence);
  }
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function parseObject(path: string, text: string, advice: string): object {
  const value = parseOrUndefined(text);
  if (value === undefined) throw notJson(path, "is not JSON", advice);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw notJson(path, `must hold a JSON object, and holds ${kindOf(value)}`, advice);
}

/** Without V8's message, which quotes the text: that may be a key. */
function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `a ${typeof value}`;
}
