import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, expect, it } from "vitest";
import { Environment } from "../../src/storage/environment.ts";
import { numberKey } from "../../src/storage/keys.ts";

const root = mkdtempSync(join(tmpdir(), "environment-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

it("answers no read once it begins to close, as lmdb would end the process by a timer", async () => {
  const space = { fileMaxBytes: 64 * 1024 * 1024, freeMinBytes: 0 };
  const tables = ["numbers"];
  const environment = new Environment({ directory: root, fileName: "x.mdb", tables, space });
  const table = environment.table("numbers");
  const value = new Uint8Array(100).fill(1);
  await environment.commit(1_000, () => {
    for (let number = 0; number < 10; number++) table.put(numberKey(number), value);
  });
  const entries = table.entries();
  expect(entries.next().value?.value).toEqual(value);
  const committed = environment.commit(1_000, () => table.put(numberKey(10), value));
  const closed = environment.close();
  const reads = [
    () => table.get(numberKey(1), 1),
    () => table.lastKey(),
    () => table.size,
    () => entries.next(),
  ];
  for (const read of reads) expect(read).toThrow(/x\.mdb is closed: the node is stopping/);
  await Promise.all([committed, closed]);
  expect(() => table.get(numberKey(1), 1)).toThrow(/is closed/);
  // What lmdb throws, it throws soon.
  await delay(20);
});
