/**
 * Whose votes and log a Raft directory holds. Another node's would be counted as this one's: a copied or
 * exchanged directory, or a node that was renamed, could vote twice in one term.
 */

import type { Environment } from "./environment.ts";
import { type Place, StorageError } from "./errors.ts";
import { textKey } from "./keys.ts";
import type { RaftTables } from "./raft-tables.ts";
import { RecordReader, RecordWriter } from "./record.ts";

export interface RaftOwner {
  /** `raft.node_id`. */
  readonly nodeId: string;
  readonly chainId: string;
}

const ownerKey = "owner";

/** Writes the owner into a directory that has none. Throws STORAGE_FOREIGN_NODE if it has another. */
export async function claimFor(
  owner: RaftOwner,
  environment: Environment,
  { stable }: RaftTables,
): Promise<void> {
  const bytes = stable.get(textKey(ownerKey), ownerKey);
  if (bytes === null) {
    const record = encodeOwner(owner);
    return environment.commit(record.length, () => stable.put(textKey(ownerKey), record));
  }
  const found = decodeOwner(bytes, stable.place(ownerKey));
  if (found.nodeId === owner.nodeId && found.chainId === owner.chainId) return;
  const [expected, other] = [describe(owner), describe(found)];
  throw new StorageError(
    { code: "STORAGE_FOREIGN_NODE", path: environment.path, expected, found: other },
    `${environment.path} holds the votes and the log of ${other}, but this is ${expected}. ` +
      "Give the node its own raft directory, or the node_id and the genesis file that this one belongs to.",
  );
}

export function encodeOwner({ nodeId, chainId }: RaftOwner): Uint8Array {
  return new RecordWriter().text(nodeId).text(chainId).finish();
}

/** Throws STORAGE_CORRUPT. */
export function decodeOwner(bytes: Uint8Array, place: Place): RaftOwner {
  const reader = new RecordReader(bytes, place);
  const owner = { nodeId: reader.text(), chainId: reader.text() };
  reader.end();
  return owner;
}

function describe({ nodeId, chainId }: RaftOwner): string {
  return `node ${nodeId} of chain ${chainId}`;
}
