/** Bytes: comparing, joining, hexadecimal, and the CRC-32C that guards what is stored. */

export const emptyBytes: Uint8Array = new Uint8Array(0);

/** Below this zeros cost less than memory outside V8's heap. */
const uninitialisedMinBytes = 2048;

/** Memory of its own that may hold whatever was there before: only for who fills all that is read of it. */
export function uninitialisedBytes(length: number): Uint8Array<ArrayBuffer> {
  if (length < uninitialisedMinBytes) return new Uint8Array(length);
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** Lexicographic order, as `memcmp`: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Takes an array, since a call has room for some 100,000 arguments, and a message can come in more pieces. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const joined = uninitialisedBytes(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

const hexDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Lower-case hexadecimal without a prefix. */
export function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += hexDigits[byte];
  return hex;
}

/** The bytes of a hexadecimal text, with or without `0x`; null if it is none. */
export function fromHex(text: string): Uint8Array | null {
  const digits = text.startsWith("0x") || text.startsWith("0X") ? text.slice(2) : text;
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) return null;
  const bytes = new Uint8Array(digits.length / 2);
  for (let at = 0; at < bytes.length; at++) {
    bytes[at] = Number.parseInt(digits.slice(at * 2, at * 2 + 2), 16);
  }
  return bytes;
}

/**
 * Eight tables of 256 in a row: `[256 * k + byte]` is the remainder of `byte` with k zero bytes behind it,
 * so that eight bytes at a time are looked up independently ("slicing by 8").
 */
const crc32cTables = (() => {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) {
      value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
    }
    tables[byte] = value;
  }
  for (let at = 256; at < tables.length; at++) {
    const previous = tables[at - 256] as number;
    tables[at] = (previous >>> 8) ^ (tables[previous & 0xff] as number);
  }
  return tables;
})();

const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** Below this the view on whole words costs more than it saves. */
const sliceMinBytes = 64;

/** CRC-32C (Castagnoli, RFC 3720 appendix B.4) as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  if (bytes.length < sliceMinBytes || !isLittleEndian) return ~crcBytes(~seed, bytes) >>> 0;
  const head = -bytes.byteOffset & 3; // words are aligned in memory
  const wordPairs = (bytes.length - head) >>> 3;
  const tail = head + wordPairs * 8;
  let crc = crcBytes(~seed, bytes.subarray(0, head));
  crc = crcWords(crc, new Int32Array(bytes.buffer, bytes.byteOffset + head, wordPairs * 2));
  return ~crcBytes(crc, bytes.subarray(tail)) >>> 0;
}

function crcBytes(seed: number, bytes: Uint8Array): number {
  let crc = seed;
  for (let at = 0; at < bytes.length; at++) {
    crc = (crc32cTables[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8);
  }
  return crc;
}

/** An even number of little-endian words. */
function crcWords(seed: number, words: Int32Array): number {
  const table = crc32cTables;
  let crc = seed;
  for (let at = 0; at < words.length; at += 2) {
    const low = crc ^ (words[at] as number);
    const high = words[at + 1] as number;
    crc =
      (table[1792 + (low & 0xff)] as number) ^
      (table[1536 + ((low >>> 8) & 0xff)] as number) ^
      (table[1280 + ((low >>> 16) & 0xff)] as number) ^
      (table[1024 + (low >>> 24)] as number) ^
      (table[768 + (high & 0xff)] as number) ^
      (table[512 + ((high >>> 8) & 0xff)] as number) ^
      (table[256 + ((high >>> 16) & 0xff)] as number) ^
      (table[high >>> 24] as number);
  }
  return crc;
}
