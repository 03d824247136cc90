/** A Raft directory is one node's, of one chain: never another's votes (P1). */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openRaftStore } from "../../src/storage/open-raft-store.ts";
import type { RaftOwner } from "../../src/storage/raft-owner.ts";

const owner = { nodeId: "node-1", chainId: "c" };
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "raft-owner-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

async function open(by: RaftOwner | null): Promise<void> {
  const store = await openRaftStore({ directory, allowVolatile: true, owner: by });
  await store.close();
}

it("is opened again by its owner", async () => {
  await open(owner);
  await expect(open(owner)).resolves.toBeUndefined();
});

it("without an owner becomes that of the first who names itself", async () => {
  await open(null);
  await open(owner);
  await expect(open({ ...owner, nodeId: "node-2" })).rejects.toThrow("node-1 of chain c");
});

it.each([
  [{ ...owner, nodeId: "node-2" }, "this is node node-2 of chain c"],
  [{ ...owner, chainId: "d" }, "this is node node-1 of chain d"],
])("is refused to %j", async (other, sentence) => {
  await open(owner);
  await expect(open(other)).rejects.toMatchObject({
    code: "STORAGE_FOREIGN_NODE",
    message: expect.stringContaining(sentence),
  });
  await expect(open(owner)).resolves.toBeUndefined();
});
