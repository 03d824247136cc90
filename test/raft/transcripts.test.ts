/** Data-driven tests: see `lab/commands.ts` for the language; `vitest -u` rewrites what the cores said. */

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { LabCluster } from "./lab/cluster.ts";
import { obey } from "./lab/commands.ts";

const folder = new URL("transcripts/", import.meta.url).pathname;
const transcripts = readdirSync(folder).filter((name) => name.endsWith(".txt"));

describe("transcripts", () => {
  it.each(transcripts)("%s", async (name) => {
    const path = `${folder}${name}`;
    await expect(replay(readFileSync(path, "utf8"))).toMatchFileSnapshot(path);
  });
});

/** The transcript with what the cores say today: blocks of comments and commands, `----`, output. */
function replay(transcript: string): string {
  const lab = new LabCluster();
  const blocks = transcript.trim().split(/\n\n+/);
  return `${blocks.map((block) => replayBlock(lab, block)).join("\n\n")}\n`;
}

function replayBlock(lab: LabCluster, block: string): string {
  const [asked = ""] = block.split(/^----$/m);
  const lines = asked.trim().split("\n");
  const isCommand = (line: string) => line !== "" && !line.startsWith("#");
  if (!lines.some(isCommand)) return lines.join("\n");
  for (const line of lines.filter(isCommand)) obey(lab, line);
  const said = lab.takeLines();
  return [...lines, "----", ...(said.length > 0 ? said : ["ok"])].join("\n");
}
