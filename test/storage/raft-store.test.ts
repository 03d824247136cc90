import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { openRaftStore } from "../../src/storage/open-raft-store.ts";
import type { RaftStore } from "../../src/storage/raft-store.ts";
import { MemoryRaftStore } from "../simulation/memory-raft-store.ts";
import { describeRaftStore } from "./raft-store-contract.ts";

const directories = new Map<RaftStore, string>();

async function openIn(directory: string): Promise<RaftStore> {
  const store = await openRaftStore({ directory, allowVolatile: true });
  directories.set(store, directory);
  return store;
}

describeRaftStore("LMDB", {
  open: () => openIn(mkdtempSync(join(tmpdir(), "raft-store-"))),
  reopen: async (store) => {
    await store.close();
    return openIn(directories.get(store) ?? "");
  },
  settle: () => {},
});

afterAll(() => {
  for (const directory of directories.values()) rmSync(directory, { recursive: true, force: true });
});

const memory = (store: RaftStore): MemoryRaftStore => {
  if (store instanceof MemoryRaftStore) return store;
  throw new TypeError("not a memory store");
};

describeRaftStore("memory", {
  open: () => Promise.resolve(new MemoryRaftStore(new Uint8Array(16))),
  reopen: (store) => Promise.resolve(memory(store).crash()),
  settle: (store) => memory(store).flush(),
});
