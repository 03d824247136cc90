/** The root of a state, from scratch: the definition in kv-tree.ts, said once more and slowly. */

import { createHash } from "node:crypto";

type Hex = string;

/** `state` maps keys to values. */
export function slowRoot(state: ReadonlyMap<string, string>): Uint8Array {
  const leaves = new Map<Hex, Buffer>();
  for (const [key, value] of state) {
    const keyHash = sha256(Buffer.from(key));
    const leaf = sha256(Buffer.concat([Buffer.of(0), keyHash, sha256(Buffer.from(value))]));
    leaves.set(keyHash.toString("hex"), leaf);
  }
  return new Uint8Array(nodeHash("", leaves));
}

function nodeHash(prefix: Hex, leaves: ReadonlyMap<Hex, Buffer>): Buffer {
  let bits = 0;
  const children: Buffer[] = [];
  for (let digit = 0; digit < 16; digit++) {
    const below = prefix + digit.toString(16);
    const inside = [...leaves].filter(([keyHash]) => keyHash.startsWith(below));
    const [first] = inside;
    if (first === undefined) continue;
    bits |= 1 << digit;
    children.push(inside.length === 1 ? first[1] : nodeHash(below, new Map(inside)));
  }
  const used = Buffer.alloc(2);
  used.writeUInt16BE(bits);
  return sha256(Buffer.concat([Buffer.of(1), used, ...children]));
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
