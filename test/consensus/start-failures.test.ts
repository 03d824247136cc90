/** What keeps the consensus thread from starting reaches the main thread as the error it was. */

import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { StorageError } from "../../src/storage/errors.ts";
import { TransportError } from "../../src/transport/errors.ts";
import { portOf, TestBench, type TestMember } from "./members.ts";

let bench: TestBench;
beforeEach(() => {
  bench = new TestBench();
});
afterEach(() => bench.clear());

async function startError(member: TestMember): Promise<unknown> {
  return member.consensus.start().then(
    () => "it started",
    (error: unknown) => error,
  );
}

it("a port that is in use is a TransportError, and the folder is free again", async () => {
  const port = portOf(await bench.listen());
  const network = {
    listenHost: "127.0.0.1",
    listenPort: port,
    peers: [["b", "127.0.0.1:1"]] as const,
    advertisedAddress: null,
    allowFrom: [],
    chain: new Uint8Array(8),
  };
  const error = await startError(bench.member({ voters: ["a", "b"], network }));
  expect(error).toBeInstanceOf(TransportError);
  expect(error).toMatchObject({
    detail: { code: "TRANSPORT_ADDRESS_IN_USE", address: `127.0.0.1:${port}` },
  });
  const next = bench.member({ voters: ["a"] });
  await expect(next.consensus.start()).resolves.toMatchObject({ listening: null });
});

it("a folder that another holds is a StorageError that names it", async () => {
  const holder = bench.member();
  await holder.consensus.start();
  const error = await startError(bench.member());
  expect(error).toBeInstanceOf(StorageError);
  expect(error).toMatchObject({
    detail: { code: "STORAGE_LOCKED", directory: bench.folder("a") },
    message: expect.stringContaining(bench.folder("a")),
  });
});

it("a file in place of the folder is a StorageError", async () => {
  writeFileSync(bench.folder("a"), "");
  expect(await startError(bench.member())).toBeInstanceOf(StorageError);
});

it.skipIf(process.getuid?.() === 0)(
  "a folder without write permission is one too (needs a user other than root)",
  async () => {
    mkdirSync(bench.folder("a"));
    chmodSync(bench.folder("a"), 0o500);
    expect(await startError(bench.member())).toMatchObject({
      detail: { code: "STORAGE_NO_ACCESS" },
    });
  },
);

it("a member that could not start can be stopped", async () => {
  writeFileSync(bench.folder("a"), "");
  const member = bench.member();
  await startError(member);
  await member.consensus.stop();
  expect(member.failures).toEqual([]);
});
