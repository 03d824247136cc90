/**
 * A process that writes entries until it is killed. On standard output: `ready`, then `asked N` before
 * each Persist and `acknowledged N` in its `done`. Arguments: directory, number of entries (0: for ever),
 * bytes of each.
 */
import { writeSync } from "node:fs";
import { openRaftStore } from "../../../src/storage/open-raft-store.ts";

const [directory = "", count = "0", size = "200"] = process.argv.slice(2);
const last = Number(count) === 0 ? Number.POSITIVE_INFINITY : Number(count);
const store = await openRaftStore({ directory, allowVolatile: true });

/** Straight to the descriptor: nothing is buffered when the process dies. */
const say = (line: string) => writeSync(1, `${line}\n`);

function writeEntry(index: number): void {
  if (index > last) return;
  say(`asked ${index}`);
  const data = new Uint8Array(Number(size)).fill(index);
  store.persist(
    {
      sequence: index,
      hardState: { currentTerm: index, votedFor: null },
      snapshot: null,
      truncateFrom: null,
      entries: [{ index, term: index, kind: "command", data, extensions: null, appendedAt: null }],
    },
    (error) => {
      if (error !== null) throw error;
      say(`acknowledged ${index}`);
      writeEntry(index + 1);
    },
  );
}

say("ready");
writeEntry(store.log.lastIndex + 1);
// Holds the directory until it is killed, also when there is nothing more to write.
setInterval(() => {}, 1_000);
