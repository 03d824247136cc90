/** P11: a node with a long chain starts as fast, and in as little memory, as one with a short chain. */

import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Figure, figure } from "../figure.ts";
import { type Restart, RestartedNode } from "../restarted-node.ts";
import type { Section, SectionContext } from "../section.ts";

const shortBlocks = 1_000;
const runs = 7;

export const restartSection: Section = {
  name: "restart",
  async run({ workDir, effort }: SectionContext): Promise<readonly Figure[]> {
    const directory = await mkdtemp(join(workDir, "bench-"));
    try {
      const short = await RestartedNode.create(join(directory, "short"), shortBlocks);
      const long = await RestartedNode.create(join(directory, "long"), effort.chainBlocks);
      // The first ones compile the program, and read the files that were just written.
      await short.restart();
      await long.restart();
      const samples: Samples = { short: newSeries(), long: newSeries() };
      for (let run = 0; run < runs; run++) {
        add(samples.short, await short.restart());
        add(samples.long, await long.restart());
      }
      const name = `${effort.chainBlocks.toLocaleString("en")} blocks of 1 KB`;
      const floor = `${shortBlocks.toLocaleString("en")} blocks`;
      return [
        figure("restart", `${name}, until it leads`, "ms", samples.long.ms, {
          name: floor,
          samples: samples.short.ms,
        }),
        figure("restart", `${name}, processor time until then`, "ms", samples.long.cpu, {
          name: floor,
          samples: samples.short.cpu,
        }),
        figure("restart", `${name}, resident memory`, "MB", samples.long.mb, {
          name: floor,
          samples: samples.short.mb,
        }),
      ];
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
};

interface Series {
  readonly ms: number[];
  readonly cpu: number[];
  readonly mb: number[];
}
type Samples = Readonly<Record<"short" | "long", Series>>;

function newSeries(): Series {
  return { ms: [], cpu: [], mb: [] };
}

function add(series: Series, { readyMs, processorMs, residentBytes }: Restart): void {
  series.ms.push(readyMs);
  series.cpu.push(processorMs);
  series.mb.push(residentBytes / 1e6);
}
