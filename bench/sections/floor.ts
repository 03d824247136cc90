/** The floors as figures of their own. */

import { bareCommitMs } from "../bare/bare-commit.ts";
import { type Figure, figure } from "../figure.ts";
import { fdatasyncMs, lmdbCommitMs, messagePortRoundTripMs, tcpRoundTripMs } from "../floor.ts";
import type { Section, SectionContext } from "../section.ts";

const sizeBytes = 512;

export const floorSection: Section = {
  name: "floor",
  async run({ workDir, effort }: SectionContext): Promise<readonly Figure[]> {
    const count = effort.floorSamples;
    const disk = { workDir, sizeBytes, count };
    return [
      figure("floor", "fdatasync of a 512 B append", "ms", await fdatasyncMs(disk)),
      figure("floor", "LMDB put and durable commit, 512 B", "ms", await lmdbCommitMs(disk)),
      figure(
        "floor",
        "LMDB put and durable commit, 512 B, three at once",
        "ms",
        await lmdbCommitMs(disk, { others: 2 }),
      ),
      figure("floor", "TCP round trip, 512 B", "ms", await tcpRoundTripMs(sizeBytes, count)),
      figure(
        "floor",
        "bare commit: our hops without Raft, 512 B",
        "ms",
        await bareCommitMs({ ...disk, warmUpCommits: effort.warmUpCommits }),
      ),
      figure("floor", "MessagePort round trip", "ms", await messagePortRoundTripMs(count)),
    ];
  },
};
