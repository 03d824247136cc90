/** Which commit is running, wherever the program came from. */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { gitSha } from "../../src/cli/version.ts";
import { temporaryDirectory } from "./evm.ts";

const { path, remove } = temporaryDirectory();
afterAll(remove);

const sha = "0123456789abcdef0123456789abcdef01234567";
const branch = { ".git/HEAD": "ref: refs/heads/main\n" };

it.each([
  ["a checkout of a branch", { ...branch, ".git/refs/heads/main": `${sha}\n` }, sha],
  [
    "one whose references are packed",
    { ...branch, ".git/packed-refs": `${sha} refs/heads/main\n` },
    sha,
  ],
  ["a checkout of a commit", { ".git/HEAD": `${sha}\n` }, sha],
  ["a checkout that was packed before", { ".git/HEAD": `${sha}\n`, "dist/git-sha": "old\n" }, sha],
  ["an installed package", { "dist/git-sha": `${sha}\n` }, sha],
  ["a branch without a commit", branch, null],
  ["files from anywhere", {}, null],
])("%s", (name, files, expected) => {
  const directory = join(path, name);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), text);
  }
  expect(gitSha(directory)).toBe(expected);
});
