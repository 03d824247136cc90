/** Nothing that comes from outside makes a decoder crash, hang, or take more memory than it is worth (P12). */

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Finding, type Report, runCampaign, type Task } from "./campaign.ts";
import { readCorpus } from "./corpus.ts";
import { inputOf } from "./generate.ts";
import { Judge } from "./judge.ts";
import { targetNamed, targets } from "./targets.ts";
import { tasksOf } from "./tasks.ts";

interface Outcome {
  readonly findings: readonly Finding[];
  readonly reports: readonly Report[];
}

async function run(
  module: string,
  tasks: readonly Task[],
  limits: { readonly hangMs: number; readonly heapMaxMb: number },
): Promise<Outcome> {
  const findings: Finding[] = [];
  const reports: Report[] = [];
  await runCampaign({
    targetsModule: new URL(module, import.meta.url).href,
    seed: 1,
    tasks,
    ...limits,
    onFinding: (finding) => findings.push(finding),
    onReport: (report) => reports.push(report),
  });
  return { findings, reports };
}

describe("inputs", () => {
  it.each(readCorpus())("of the corpus are dealt with rightly: $target $name", async (file) => {
    const judge = await Judge.of(targetNamed(file.target));
    expect(await judge.judge(file.input)).not.toMatchObject({ kind: "problem" });
  });

  it("that are fresh are dealt with rightly, by every decoder", async () => {
    const limits = { hangMs: 30_000, heapMaxMb: 512 };
    const { findings, reports } = await run("targets.ts", tasksOf(targets, 30_000), limits);
    expect(findings.map(({ target, problem }) => `${target}: ${problem.message}`)).toEqual([]);
    expect(reports.map(({ target }) => target)).toEqual(targets.map(({ name }) => name));
    // A fuzzer whose inputs are all refused at their first byte tries nothing.
    for (const { target, inputs, taken } of reports) {
      if (inputs > 50) expect.soft(taken / inputs, target).toBeGreaterThan(0.02);
    }
  }, 240_000);

  it("are the same for the same seed and number, and others for others", () => {
    for (const target of targets) {
      const some = [1, 2, 3].map((number) => inputOf(target, 7, number));
      expect([1, 2, 3].map((number) => inputOf(target, 7, number))).toEqual(some);
    }
    const target = targetNamed("block-payload");
    const inputs = Array.from({ length: 200 }, (_, number) =>
      inputOf(target, 7, number).toString(),
    );
    expect(new Set(inputs).size).toBeGreaterThan(180);
    expect(inputOf(target, 8, 1)).not.toEqual(inputOf(target, 7, 1));
  });
});

describe("a decoder", () => {
  it("that is broken is found out, whatever is wrong with it", async () => {
    const { targets: broken } = await import("./broken-targets.ts");
    const tasks = broken.map(({ name }) => ({ target: name, from: 0, count: 1_200 }));
    // Long enough that a slow one is slow, and does not hang, on a machine that is busy.
    const limits = { hangMs: 20_000, heapMaxMb: 64 };
    const { findings } = await run("broken-targets.ts", tasks, limits);
    const kinds = new Map(findings.map(({ target, problem }) => [target, problem.kind]));
    expect(Object.fromEntries(kinds)).toEqual({
      "throws what is not its own": "threw",
      "calls itself for each bracket": "threw",
      "believes a length": "allocated",
      "compares bytes in pairs": "slow",
      "writes otherwise than it reads": "threw",
      "waits for ever": "hung",
      "keeps all it ever sees": "died",
    });
    // What is found is made small: of an input that a single byte spoils, that byte is left.
    const thrown = findings.find(({ target }) => target === "throws what is not its own");
    expect(thrown?.input).toEqual(Uint8Array.of(0x7e));
  }, 240_000);

  it("of the product is fuzzed, or the list says why not", () => {
    const used = readdirSync(new URL("targets/", import.meta.url))
      .map((name) => readFileSync(new URL(`targets/${name}`, import.meta.url), "utf8"))
      .join("\n");
    const forgotten = decodersOf(new URL("../../src/", import.meta.url)).filter(
      (name) => !new RegExp(`\\b${name}\\b`).test(used) && !indirect.has(name),
    );
    expect(forgotten).toEqual([]);
    expect([...indirect.keys()].filter((name) => used.includes(`${name}(`))).toEqual([]);
  });
});

/** Fuzzed by way of another. */
const indirect: ReadonlyMap<string, string> = new Map([
  ["decodeJson", "http-request and json-rpc go through it"],
  ["decodeSnapshotInTurns", "decodeSnapshot, with the checksum summed up before"],
  ["parseHeight", "http-request goes through it"],
  ["parseJwtSecret", "the configuration has checked what it is given"],
  ["parsePeer", "raft-peers goes through it"],
]);

/** Exported functions of src that are named as decoders are. */
function decodersOf(source: URL): readonly string[] {
  return readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) => {
      const code = readFileSync(new URL(name, source), "utf8");
      const named = /^export (?:async )?function ((?:decode|parse)[A-Z]\w*)/gm;
      return [...code.matchAll(named)].map((match) => match[1] ?? "");
    });
}
