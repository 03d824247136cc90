/** `evm version`: what exactly is running. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import { protocolVersion } from "../transport/fields.ts";
import type { CliContext } from "./context.ts";

/** The package's directory, seen from `src/cli` and from `dist/cli` alike. */
const packageDirectory = join(import.meta.dirname, "..", "..");

const packageJson = z.object({ version: z.string() });

/** As in package.json. */
export function programVersion(): string {
  const text = readFileSync(join(packageDirectory, "package.json"), "utf8");
  return packageJson.parse(JSON.parse(text)).version;
}

/** The commit of a checkout, or the one that a package was made of; null if it is not known. */
export function gitSha(directory: string = packageDirectory): string | null {
  const head = readOrNull(join(directory, ".git", "HEAD"))?.trim();
  if (head === undefined) return readOrNull(join(directory, "dist", "git-sha"))?.trim() ?? null;
  const reference = /^ref: (.+)$/.exec(head)?.[1];
  if (reference === undefined) return head;
  const loose = readOrNull(join(directory, ".git", reference))?.trim();
  if (loose !== undefined) return loose;
  const packed = readOrNull(join(directory, ".git", "packed-refs"))?.split("\n") ?? [];
  return packed.find((line) => line.endsWith(` ${reference}`))?.split(" ")[0] ?? null;
}

function readOrNull(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

export function registerVersionCommand(program: Command, { print }: CliContext): void {
  program
    .command("version")
    .description("print the version of the program, of Node and of the Raft protocol")
    .action(() => {
      print(`evm version: ${programVersion()}`);
      print(`git sha: ${gitSha() ?? "unknown"}`);
      print(`node: ${process.version}`);
      print(`raft protocol: ${protocolVersion}`);
    });
}
