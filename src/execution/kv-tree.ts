/**
 * The Merkle tree over the whole state of the `kv` executor. Its root is the app hash.
 *
 * A key's place follows from its SHA-256, read as 64 digits of 4 bits. A node has 16 slots, one for
 * each next digit. A slot is empty, or holds a leaf if one key alone lies below it, or else a node:
 *
 *            root            keys with hashes 3a.., 3f.., 9b..
 *       0 .. 3 .. 9 .. f
 *            |    leaf 9b..
 *          node
 *       0 .. a .. f
 *         leaf  leaf
 *
 *   leaf hash = SHA-256(0x00 || SHA-256(key) || SHA-256(value))
 *   node hash = SHA-256(0x01 || used slots, 16 bits, slot 0 the lowest, big endian || hashes of the used slots)
 *
 * The shape depends on the keys alone and not on their order, so neither does the root. Hashes of keys
 * are spread evenly: with n keys, changing k of them reads and writes about k * log16(n) nodes.
 */

import { assert } from "../base/assert.ts";
import { compareBytes, concatBytes, equalBytes } from "../base/bytes.ts";
import { sha256 } from "../block/hash.ts";

export const hashBytes = 32;
const slotCount = 16;
const leafPrefix = Uint8Array.of(0);
const nodePrefix = 1;

export interface Leaf {
  readonly keyHash: Uint8Array;
  readonly hash: Uint8Array;
}

type Slot =
  | null
  | ({ readonly kind: "leaf" } & Leaf)
  | { readonly kind: "node"; readonly hash: Uint8Array };

type TreeNode = Slot[];

/** Where nodes are kept, by the digits that lead to them. */
export interface TreeStore {
  /** The node that was written at `place`. Throws if there is none: the tree names only what exists. */
  read(place: Uint8Array): Uint8Array;
  write(place: Uint8Array, node: Uint8Array): void;
}

export function leafOf(key: Uint8Array, value: Uint8Array): Leaf {
  const keyHash = sha256(key);
  return { keyHash, hash: sha256(leafPrefix, keyHash, sha256(value)) };
}

/** The root of a state without keys. */
export const emptyRoot: Uint8Array = hashNode(emptyNode());

/** Puts `leaves`, one for each changed key, into the tree with root `root`. Returns the new root. */
export function updateTree(
  store: TreeStore,
  root: Uint8Array,
  leaves: readonly Leaf[],
): Uint8Array {
  if (leaves.length === 0) return root;
  const sorted = leaves.toSorted((a, b) => compareBytes(a.keyHash, b.keyHash));
  const rootNode = equalBytes(root, emptyRoot) ? emptyNode() : readNode(store, rootPlace);
  return updateNode(store, { node: rootNode, depth: 0, leaves: sorted });
}

/** Writes the node at `depth` with all `leaves`, which lie below it, and returns its hash. */
function updateNode(
  store: TreeStore,
  { node, depth, leaves }: { node: TreeNode; depth: number; leaves: readonly Leaf[] },
): Uint8Array {
  let from = 0;
  while (from < leaves.length) {
    const digit = digitOf(leaves[from], depth);
    let to = from + 1;
    while (to < leaves.length && digitOf(leaves[to], depth) === digit) to++;
    node[digit] = updateSlot(store, node[digit] ?? null, depth + 1, leaves.slice(from, to));
    from = to;
  }
  const place = placeOf(leaves[0], depth);
  store.write(place, encodeNode(node));
  return hashNode(node);
}

function updateSlot(store: TreeStore, slot: Slot, depth: number, leaves: readonly Leaf[]): Slot {
  if (slot?.kind === "node") {
    const node = readNode(store, placeOf(leaves[0], depth));
    return { kind: "node", hash: updateNode(store, { node, depth, leaves }) };
  }
  // A leaf that is not itself replaced moves down, together with those that join it.
  const merged = slot === null ? leaves : withLeaf(leaves, slot);
  const [only, second] = merged;
  if (only !== undefined && second === undefined) return { kind: "leaf", ...only };
  return { kind: "node", hash: updateNode(store, { node: emptyNode(), depth, leaves: merged }) };
}

/** `leaves` and `leaf`, sorted; of one key, the leaf in `leaves`. */
function withLeaf(leaves: readonly Leaf[], leaf: Leaf): readonly Leaf[] {
  const at = leaves.findIndex((other) => compareBytes(other.keyHash, leaf.keyHash) >= 0);
  if (at < 0) return [...leaves, leaf];
  const found = leaves[at];
  if (found !== undefined && equalBytes(found.keyHash, leaf.keyHash)) return leaves;
  return leaves.toSpliced(at, 0, leaf);
}

function emptyNode(): TreeNode {
  return new Array<Slot>(slotCount).fill(null);
}

/** The digit at `depth`; two keys share at most 63, or SHA-256 is broken. */
function digitOf(leaf: Leaf | undefined, depth: number): number {
  const byte = leaf?.keyHash[depth >> 1];
  assert(byte !== undefined, "keys differ in a digit of their hashes", { depth });
  return depth % 2 === 0 ? byte >> 4 : byte & 0x0f;
}

const rootPlace = Uint8Array.of(0);

/** The depth, then the digits that lead there, two in a byte. */
function placeOf(leaf: Leaf | undefined, depth: number): Uint8Array {
  assert(leaf !== undefined, "a node has leaves below it", { depth });
  const place = new Uint8Array(1 + Math.ceil(depth / 2));
  place[0] = depth;
  place.set(leaf.keyHash.subarray(0, place.length - 1), 1);
  if (depth % 2 === 1) place[place.length - 1] = (place.at(-1) ?? 0) & 0xf0;
  return place;
}

function hashNode(node: TreeNode): Uint8Array {
  const used = node.filter((slot) => slot !== null);
  const bits = bitmap(node, (slot) => slot !== null);
  return sha256(Uint8Array.of(nodePrefix, bits >> 8, bits & 0xff), ...used.map(({ hash }) => hash));
}

/** Used slots and leaf slots as 16 bits each, then the used slots' hashes, a leaf's key hash before it. */
function encodeNode(node: TreeNode): Uint8Array {
  const used = bitmap(node, (slot) => slot !== null);
  const isLeaf = bitmap(node, (slot) => slot?.kind === "leaf");
  const parts: Uint8Array[] = [Uint8Array.of(used >> 8, used & 0xff, isLeaf >> 8, isLeaf & 0xff)];
  for (const slot of node) {
    if (slot?.kind === "leaf") parts.push(slot.keyHash);
    if (slot !== null) parts.push(slot.hash);
  }
  return concatBytes(parts);
}

function readNode(store: TreeStore, place: Uint8Array): TreeNode {
  const bytes = store.read(place);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const used = view.getUint16(0);
  const isLeaf = view.getUint16(2);
  let at = 4;
  const next = () => {
    at += hashBytes;
    return bytes.slice(at - hashBytes, at);
  };
  const node = Array.from({ length: slotCount }, (_, digit): Slot => {
    if ((used & (1 << digit)) === 0) return null;
    if ((isLeaf & (1 << digit)) === 0) return { kind: "node", hash: next() };
    return { kind: "leaf", keyHash: next(), hash: next() };
  });
  assert(at === bytes.length, "a node holds its slots and nothing else", { length: bytes.length });
  return node;
}

function bitmap(node: TreeNode, isSet: (slot: Slot) => boolean): number {
  return node.reduce((bits, slot, digit) => (isSet(slot) ? bits | (1 << digit) : bits), 0);
}
