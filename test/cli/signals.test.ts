import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, it } from "vitest";

const signals = join(import.meta.dirname, "../../src/cli/signals.ts");
/** Ends by itself a while after it was told to; says so, and how often it was told. */
const program = (lastsMs: number) => `
  import { onStopSignal } from ${JSON.stringify(signals)};
  onStopSignal(["SIGINT", "SIGTERM"], (signal) => {
    console.log("stopping", signal);
    setTimeout(() => process.exit(0), ${lastsMs});
  });
  setInterval(() => {}, 1000);
  console.log("ready");
`;

function start(lastsMs: number) {
  const child = spawn(
    process.execPath,
    ["--no-warnings", "--input-type=module-typescript", "-e", program(lastsMs)],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const lines = createInterface({ input: child.stdout });
  return { child, lines, ended: once(child, "close") };
}

describe("a request to stop", () => {
  it("that arrives twice, as a Ctrl-C below npm, is one", async () => {
    const { child, lines, ended } = start(300);
    const said: string[] = [];
    for await (const line of lines) {
      said.push(line);
      if (line !== "ready") continue;
      child.kill("SIGINT");
      await wait(20);
      child.kill("SIGINT");
    }
    expect(await ended).toEqual([0, null]);
    expect(said).toEqual(["ready", "stopping SIGINT"]);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s again, a while later, is now", async (signal, exitCode) => {
    const { child, lines, ended } = start(120_000);
    for await (const line of lines) {
      if (line === "ready") child.kill(signal);
      else setTimeout(() => child.kill(signal), 1_500);
    }
    expect(await ended).toEqual([exitCode, null]);
  });
});
