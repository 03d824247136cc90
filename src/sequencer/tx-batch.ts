/**
 * Transactions on their way to the leader: the height up to which none of them is in a block (8 bytes), their number,
 * then for each its identity and its bytes.
 */

import { concatBytes } from "../base/bytes.ts";
import { blockTransactionsMaxBytes } from "../base/limits.ts";
import { txIdMaxBytes } from "../block/limits.ts";
import type { Height } from "../block/types.ts";

export interface OfferedTx {
  readonly id: Uint8Array;
  readonly tx: Uint8Array;
}

/** The method name on the wire between nodes. */
export const offerMethod = "offer-txs";

/** How the leader answers an offer; HTTP's words for the same. */
export const offerStatus = {
  taken: 200,
  notLeader: 409,
  full: 429,
  malformed: 400,
  /** The leader cannot name the transactions of all blocks that the other has not seen yet. */
  tooEarly: 425,
} as const;

export interface TxBatch {
  /** The offering node has looked for them in all blocks up to this one. */
  readonly absentThrough: Height;
  readonly txs: readonly OfferedTx[];
}

export function encodeTxBatch({ absentThrough, txs }: TxBatch): Uint8Array {
  const parts: Uint8Array[] = [uint64(absentThrough), uint32(txs.length)];
  for (const { id, tx } of txs) parts.push(uint32(id.length), id, uint32(tx.length), tx);
  return concatBytes(parts);
}

/** null if the bytes are no batch, hold something behind it, or a transaction that no block can hold. */
export function decodeTxBatch(bytes: Uint8Array): TxBatch | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8) return null;
  const absentThrough = Number(view.getBigUint64(0));
  if (!Number.isSafeInteger(absentThrough)) return null;
  let at = 8;
  const length = (): number | null => {
    if (at + 4 > bytes.length) return null;
    at += 4;
    return view.getUint32(at - 4);
  };
  const field = (): Uint8Array | null => {
    const size = length();
    if (size === null || at + size > bytes.length) return null;
    at += size;
    return bytes.subarray(at - size, at);
  };
  const count = length();
  if (count === null) return null;
  const txs: OfferedTx[] = [];
  for (let nth = 0; nth < count; nth++) {
    const id = field();
    const tx = id === null ? null : field();
    if (id === null || tx === null || !couldBeInBlock(id, tx)) return null;
    txs.push({ id, tx });
  }
  return at === bytes.length ? { absentThrough, txs } : null;
}

/** Every node would refuse a block with such a transaction, and the leader offer it again for ever. */
function couldBeInBlock(id: Uint8Array, tx: Uint8Array): boolean {
  const hasName = id.length > 0 && id.length <= txIdMaxBytes;
  return hasName && tx.length <= blockTransactionsMaxBytes;
}

function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
