/** What lies on the disk: records of both databases, snapshot files, the head of an LMDB file. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { concatBytes, emptyBytes } from "../../../src/base/bytes.ts";
import type { Entry } from "../../../src/raft/types.ts";
import {
  decodeBackfillProgress,
  encodeBackfillProgress,
} from "../../../src/storage/backfill-progress.ts";
import {
  decodeBlock,
  decodeBlockHash,
  decodeHash,
  decodeHeight,
  decodeIds,
  decodeKeptTx,
  decodeLocation,
  encodeBlock,
  encodeHash,
  encodeHeight,
  encodeIds,
  encodeKeptTx,
  encodeLocation,
} from "../../../src/storage/block-codec.ts";
import { genesisHead } from "../../../src/storage/chain-head.ts";
import { decodeChainIdentity, encodeChainIdentity } from "../../../src/storage/chain-identity.ts";
import { StorageError } from "../../../src/storage/errors.ts";
import { numberFromKey, numberKey } from "../../../src/storage/keys.ts";
import { decodeEntry, encodeEntry } from "../../../src/storage/log-codec.ts";
import { checkMdbFile } from "../../../src/storage/mdb-header.ts";
import { decodeOwner, encodeOwner } from "../../../src/storage/raft-owner.ts";
import { RecordMemory } from "../../../src/storage/record-memory.ts";
import { decodeSnapshot, encodeSnapshot } from "../../../src/storage/snapshot-codec.ts";
import {
  decodeEntryId,
  decodeFormat,
  decodeHardState,
  decodeOrigin,
  decodeOutline,
  encodeEntryId,
  encodeFormat,
  encodeHardState,
  encodeOrigin,
  encodeOutline,
} from "../../../src/storage/stable-codec.ts";
import { blockAfter, genesis } from "../../storage/block-fixtures.ts";
import { lengthPrefixed, record, type Shape } from "../shapes.ts";
import { type Codec, checkCodec, outcomeOf, type Target, utf8 } from "../target.ts";

const place = { path: "raft.mdb", database: "table", key: "key" };
const hash = new Uint8Array(32).fill(5);
const block = blockAfter(genesisHead(genesis), ["one", "two"]);
const entry: Entry = {
  index: 9,
  term: 3,
  kind: "command",
  data: utf8("k=v"),
  extensions: null,
  appendedAt: new Uint8Array(15).fill(1),
};
const tooMuch = Number.MAX_SAFE_INTEGER;

/** A record: there is one encoding of each value. `isWhole`: nothing may follow what is read. */
function target<Value>(
  name: string,
  values: readonly Value[],
  codec: {
    readonly encode: (value: Value) => Uint8Array;
    readonly decode: (bytes: Uint8Array) => Value;
    readonly isCanonical?: boolean;
  },
): Target {
  return {
    name,
    shape: record(),
    seeds: values.map(codec.encode),
    check: checkCodec({ isCanonical: true, ...codec, isRefusal: isStorageError }),
    share: 2,
  };
}

/** For the sake of the header of a block, which need not be in its one encoding. */
const alike: Pick<Codec<unknown>, "isCanonical"> = { isCanonical: false };

function isStorageError(error: unknown): boolean {
  return error instanceof StorageError;
}

const snapshotMagicBytes = 8;
const snapshot = {
  last: { term: 2, index: 9 },
  configuration: {
    servers: [
      { id: "n1", address: "127.0.0.1:1", suffrage: "voter" as const },
      { id: "n2", address: "[::1]:2", suffrage: "nonvoter" as const },
    ],
  },
  configurationIndex: 1,
};
const snapshots = await Promise.all(
  [emptyBytes, new Uint8Array(300).fill(7)].map(async (data) =>
    concatBytes(await encodeSnapshot({ ...snapshot, data })),
  ),
);

/** Without its data, which is written as it is: what precedes it is what is read. */
const snapshotTarget: Target = {
  name: "snapshot-file",
  shape: record(snapshotMagicBytes),
  seeds: snapshots,
  check: (input) => {
    try {
      decodeSnapshot(input, place);
      return "taken";
    } catch (error) {
      if (isStorageError(error)) return "refused";
      throw error;
    }
  },
  share: 4,
};

const directory = mkdtempSync(join(tmpdir(), "ev-fuzz-"));
process.once("exit", () => rmSync(directory, { recursive: true, force: true }));

/** Two pages of 512 bytes, and no more of the file than that. */
function mdbFile(): Uint8Array {
  const file = new Uint8Array(1024);
  for (const at of [0, 512]) {
    const view = new DataView(file.buffer, at);
    view.setUint32(24, 0xbeefc0de, true);
    view.setUint32(28, 2, true);
    view.setUint32(48, 512, true);
    view.setBigUint64(144, 1n, true);
    view.setBigUint64(152, BigInt(at), true);
  }
  return file;
}

/** Magic and version, page size, last page, transaction. */
const mdbShape: Shape = {
  ...lengthPrefixed,
  parts: ({ length }) => [24, 32, 48, 52, 144, 152, 152, 160].map((at) => Math.min(at, length)),
};

const mdbTarget: Target = {
  name: "mdb-header",
  shape: mdbShape,
  seeds: [mdbFile()],
  check: (input) => {
    const path = join(directory, "file.mdb");
    writeFileSync(path, input);
    try {
      checkMdbFile(path);
      return "taken";
    } catch (error) {
      if (isStorageError(error)) return "refused";
      throw error;
    }
  },
  share: 0.1,
};

export const storageTargets: readonly Target[] = [
  target("log-entry", [entry, { ...entry, kind: "noop", data: null, appendedAt: null }], {
    decode: (bytes) => decodeEntry(bytes, entry.index, place),
    encode: (entry: Entry) => encodeEntry(entry, new RecordMemory()),
  }),
  target("stored-block", [block], {
    decode: (bytes) => {
      decodeBlockHash(bytes, block.height, place);
      return decodeBlock(bytes, block.height, place);
    },
    encode: encodeBlock,
    ...alike,
  }),
  target("stored-height", [0, tooMuch], {
    decode: (bytes) => decodeHeight(bytes, place),
    encode: encodeHeight,
  }),
  target("stored-location", [{ height: 7, index: 2 ** 32 - 1 }], {
    decode: (bytes) => decodeLocation(bytes, place),
    encode: encodeLocation,
  }),
  target("stored-ids", [[], [utf8("one"), emptyBytes]], {
    decode: (bytes) => decodeIds(bytes, place),
    encode: encodeIds,
  }),
  target("stored-hash", [hash], {
    decode: (bytes) => decodeHash(bytes, place),
    encode: encodeHash,
  }),
  target("kept-tx", [{ txId: utf8("id"), tx: utf8("k=v") }], {
    decode: (bytes) => decodeKeptTx(bytes, place),
    encode: encodeKeptTx,
  }),
  target("chain-identity", [genesis, { ...genesis, chainId: "\u00e4" }], {
    decode: (bytes) => decodeChainIdentity(bytes, place),
    encode: encodeChainIdentity,
  }),
  target(
    "backfill-progress",
    [
      {
        anchors: [
          { height: 9, hash },
          { height: 1, hash },
        ],
      },
      { anchors: [] },
    ],
    { decode: (bytes) => decodeBackfillProgress(bytes, place), encode: encodeBackfillProgress },
  ),
  target("raft-owner", [{ nodeId: "node-1", chainId: "\u00e4" }], {
    decode: (bytes) => decodeOwner(bytes, place),
    encode: encodeOwner,
  }),
  target("file-format", [{ product: "ev-sequencer raft", version: 1, incarnation: hash }], {
    decode: (bytes) => decodeFormat(bytes, place),
    encode: encodeFormat,
    ...alike,
  }),
  target(
    "hard-state",
    [
      { currentTerm: 3, votedFor: "node-1" },
      { currentTerm: tooMuch, votedFor: null },
    ],
    { decode: (bytes) => decodeHardState(bytes, place), encode: encodeHardState },
  ),
  target(
    "raft-origin",
    [
      { baseHeight: 3, recovery: { minTerm: 1, untilIndex: 9 } },
      { baseHeight: 0, recovery: null },
    ],
    { decode: (bytes) => decodeOrigin(bytes, place), encode: encodeOrigin },
  ),
  target("entry-id", [{ term: 1, index: 9 }], {
    decode: (bytes) => decodeEntryId(bytes, place),
    encode: encodeEntryId,
  }),
  target(
    "log-outline",
    [
      {
        terms: [
          { fromIndex: 1, term: 1 },
          { fromIndex: 9, term: 4 },
        ],
        configurations: [1, 3],
      },
      { terms: [], configurations: [] },
    ],
    { decode: (bytes) => decodeOutline(bytes, place), encode: encodeOutline },
  ),
  {
    name: "number-key",
    shape: lengthPrefixed,
    seeds: [numberKey(0), numberKey(tooMuch)],
    check: (input) => {
      const number = numberFromKey(input);
      if (number !== null && numberKey(number).toString() !== input.toString()) {
        throw new Error("a key is written otherwise");
      }
      return outcomeOf(number);
    },
  },
  snapshotTarget,
  mdbTarget,
];
