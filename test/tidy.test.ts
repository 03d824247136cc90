/**
 * Style as a test: who may import whom, what the pure folders may not touch, and what no file may
 * hold. The rules are data and functions of a file's path and text; each is tried on a sample that
 * breaks it, and then on the whole tree.
 */

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

/** What each folder of src may import, besides itself. Arrows point down: nothing below knows what is above. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  raft: ["base"],
  block: ["base"],
  home: ["base", "block"],
  observability: ["base", "raft"],
  storage: ["base", "raft", "block", "observability"],
  transport: ["base", "raft", "observability"],
  p2p: ["base", "block", "observability"],
  execution: ["base", "block", "observability"],
  consensus: ["base", "raft", "storage", "transport", "observability"],
  sequencer: ["base", "block", "execution"],
  rpc: ["base", "raft", "block", "observability"],
  config: ["base", "home"],
  node: [
    "base",
    "raft",
    "block",
    "home",
    "observability",
    "storage",
    "transport",
    "p2p",
    "execution",
    "consensus",
    "sequencer",
    "rpc",
    "config",
  ],
  devnet: ["base", "block", "home", "config"],
  cli: ["base", "block", "home", "config", "observability", "node", "devnet"],
};

/** Single files that know more than their folder, and why. `to` is a folder, or a file in it. */
const exceptions: readonly { readonly from: string; readonly to: string; readonly why: string }[] =
  [
    {
      from: "src/execution/kv-store.ts",
      to: "storage",
      why: "the embedded executor keeps its state in LMDB, by the same rules as the block store",
    },
    {
      from: "src/execution/pending-table.ts",
      to: "storage/table.ts",
      why: "a table of that LMDB environment",
    },
    {
      from: "src/devnet/folder.ts",
      to: "storage/directory-lock.ts",
      why: "one devnet a folder, held by the same lock as a node's directory",
    },
    {
      from: "src/devnet/folder.ts",
      to: "storage/errors.ts",
      why: "that lock's errors, told as a devnet's",
    },
    {
      from: "src/cli/report-error.ts",
      to: "*/errors.ts",
      why: "the one place that knows every folder's errors: it turns them into exit codes",
    },
    {
      from: "src/cli/version.ts",
      to: "transport/fields.ts",
      why: "evm version shows the protocol version",
    },
    {
      from: "src/cli/cluster-text.ts",
      to: "raft/quorum.ts",
      why: "evm cluster says what a majority is, in Raft's own arithmetic",
    },
  ];

/** Most good files here have 50 to 150 lines. Past 300 one looks for the second idea; past this, so does the test. */
const lineLimit = 400;
const testLineLimit = 500;

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

describe("every file in src", () => {
  it.each([
    ["src/raft/x.ts", 'import { a } from "../storage/b.ts";', 1],
    ["src/raft/x.ts", 'import { a } from "../base/b.ts";\nimport { c } from "./d.ts";', 0],
    ["src/storage/x.ts", 'import type { A } from "../consensus/b.ts";', 1],
    ["src/storage/x.ts", 'export type { A } from "../rpc/b.ts";', 1],
    ["src/rpc/x.ts", 'const a = await import("../node/b.ts");', 1],
    ["src/cli/report-error.ts", 'import { E } from "../rpc/errors.ts";', 0],
    ["src/cli/report-error.ts", 'import { E } from "../rpc/server.ts";', 1],
    ["src/nobody/x.ts", "", 1],
  ])("imports only what its folder may: a sample in %s", (path, text, count) => {
    expect(badImports({ path, text })).toHaveLength(count);
  });

  it("imports only what its folder may", () => {
    expect(sources("src").flatMap(badImports)).toEqual([]);
  });

  it.each([
    ["src/raft/x.ts", "const now = Date.now();", 1],
    ["src/raft/x.ts", "// Date and process are the driver's business", 0],
    ["src/raft/x.ts", 'const text = "async";', 0],
    ["src/raft/x.ts", "/* setTimeout */ setTimeout(f, 1);", 1],
    ["src/block/x.ts", "const a = Math.random();", 1],
    ["src/block/x.ts", "async function f() { await g(); }", 2],
    ["src/block/x.ts", 'import { hash } from "node:crypto";', 0],
    ["src/block/x.ts", 'import { readFileSync } from "node:fs";', 1],
    ["src/raft/x.ts", 'import { hash } from "node:crypto";', 1],
    ["src/raft/x.ts", "process.exit(1);", 1],
    ["src/storage/x.ts", "process.exit(1);", 0],
  ])("is pure if it is of raft or block: a sample in %s", (path, text, count) => {
    expect(impurities({ path, text })).toHaveLength(count);
  });

  it("is pure if it is of raft or block", () => {
    expect(sources("src").flatMap(impurities)).toEqual([]);
  });

  it("has a limited length, so that it holds one idea", () => {
    const text = "\n".repeat(lineLimit + 1);
    expect(tooLong({ path: "src/raft/x.ts", text })).toHaveLength(1);
    expect(sources("src").flatMap(tooLong)).toEqual([]);
  });
});

describe("every file in src, test and bench", () => {
  const files = ["src", "test", "bench"].flatMap(sources);

  it.each([
    ["src/raft/index.ts", "", 1],
    ["src/raft/x.ts", "export default 1;", 1],
    ["src/raft/x.ts", "  using file = open();", 1],
    ["src/raft/x.ts", "  await using file = open();", 1],
    ["src/raft/x.ts", 'export * from "./y.ts";', 1],
    ["src/raft/x.ts", `// ${"TO"}DO: later`, 1],
    ["src/raft/x.ts", "/** A file using another. */\nexport const using = 1;", 0],
    ["vitest.config.ts", "export default 1;", 0],
  ])(
    "has no unfinished work, barrel, default export or `using`: a sample in %s",
    (path, text, count) => {
      expect(blemishes({ path, text })).toHaveLength(count);
    },
  );

  it("has no unfinished work, barrel, default export or `using`", () => {
    expect(files.flatMap(blemishes)).toEqual([]);
  });

  it("has a limited length if it is a test", () => {
    expect(sources("test").flatMap(tooLong)).toEqual([]);
  });
});

describe("the exceptions", () => {
  it("are all still needed", () => {
    const files = new Map(sources("src").map((file) => [file.path, file]));
    const unneeded = exceptions.filter(({ from, to }) => {
      const file = files.get(from);
      return file === undefined || !importsOf(file).some((target) => isAt(target, to));
    });
    expect(unneeded).toEqual([]);
  });
});

function badImports(file: SourceFile): string[] {
  const folder = file.path.split("/")[1] ?? "";
  const allowed = mayImport[folder];
  if (allowed === undefined) return [`${file.path}: add ${folder} to the table of imports`];
  return importsOf(file)
    .filter((target) => !isAllowed(file.path, folder, allowed, target))
    .map((target) => `${file.path} imports ${target}, which ${folder} may not`);
}

function isAllowed(path: string, folder: string, allowed: readonly string[], target: string) {
  const targetFolder = target.split("/")[0] ?? "";
  if (targetFolder === folder || allowed.includes(targetFolder)) return true;
  return exceptions.some(({ from, to }) => from === path && isAt(target, to));
}

/** Whether `target`, a `folder/file.ts`, is what `place` names: a folder, a file, or such a file in any folder. */
function isAt(target: string, place: string): boolean {
  if (place.startsWith("*/")) return target.endsWith(place.slice(1));
  return target === place || target.startsWith(`${place}/`);
}

/** What a file of src imports, as `folder/file.ts`. */
function importsOf({ path, text }: SourceFile): string[] {
  const relative = /(?:\bfrom|\bimport\(?)\s*"(\.{1,2}\/[^"]+)"/g;
  return [...text.matchAll(relative)]
    .map((match) => new URL(match[1] ?? "", `file:///${path}`).pathname)
    .map((target) => target.replace(/^\/src\//, ""));
}

function impurities({ path, text }: SourceFile): string[] {
  const isBlock = path.startsWith("src/block/");
  if (!isBlock && !path.startsWith("src/raft/")) return [];
  const code = withoutCommentsAndStrings(text);
  const words = /\b(Date|Math\.random|performance|async|await|setTimeout|setInterval|process)\b/g;
  const modules = /"(node:[a-z/_]+)"/g;
  const named = [...code.matchAll(words)].map((match) => match[0]);
  const imported = [...text.matchAll(modules)].map((match) => match[1] ?? "");
  const foreign = imported.filter((name) => !(isBlock && name === "node:crypto"));
  return [...named, ...foreign].map((what) => `${path}: ${what} is not for pure code`);
}

function blemishes({ path, text }: SourceFile): string[] {
  const code = withoutCommentsAndStrings(text);
  const found: string[] = [];
  if (path.endsWith("/index.ts")) found.push("index files hide where things are");
  if (/^export \*|^export \{[^}]*\} from/m.test(code)) found.push("a re-export hides its source");
  if (/^export default\b/m.test(code) && path.startsWith("src/")) found.push("a default export");
  if (/^\s*(await )?using \w+ =/m.test(code)) found.push("Node 22 cannot parse `using`");
  const unfinished = new RegExp(`\\b(${"TO"}DO|${"FIX"}ME|X${"XX"})\\b`);
  if (unfinished.test(text)) found.push("unfinished work belongs into an issue");
  return found.map((what) => `${path}: ${what}`);
}

function tooLong({ path, text }: SourceFile): string[] {
  const lines = text.split("\n").length - 1;
  const limit = path.startsWith("test/") ? testLineLimit : lineLimit;
  return lines > limit ? [`${path} has ${lines} lines: look for the second idea`] : [];
}

/** The code alone; text between quotes becomes empty. Good enough for rules about words. */
function withoutCommentsAndStrings(text: string): string {
  const tokens =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;
  return text.replace(tokens, (token) => (token.startsWith("/") ? "" : '""'));
}

/** The TypeScript files under a folder; generated ones are not ours to tidy. */
function sources(folder: string): SourceFile[] {
  const root = new URL(`../${folder}/`, import.meta.url);
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith("_pb.ts"))
    .map((name) => ({
      path: `${folder}/${name}`,
      text: readFileSync(new URL(name, root), "utf8"),
    }));
}
