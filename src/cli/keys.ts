/** `evm keys export` and `evm keys import`: the signing key, as ev-node exports and imports it. */

import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { fromHex, toHex } from "../base/bytes.ts";
import { requirePassphrase } from "../config/secrets.ts";
import { keyPairFromRaw, rawPrivateKey } from "../home/raw-key.ts";
import { openSigner, writeSigner } from "../home/signer-file.ts";
import { type CliContext, loadContextConfig } from "./context.ts";
import { usageError } from "./errors.ts";

export function registerKeysCommand(program: Command, context: CliContext): void {
  const command = program.command("keys").description("export or import the block signing key");
  command
    .command("export")
    .description("print the private key in hexadecimal; needs the signer's passphrase")
    .action(() => exportKey(context));
  command
    .command("import")
    .argument("<hex>", "the 64-byte private key, or - to read it from standard input")
    .option("--force", "replace a key that is there")
    .description("encrypt a private key into signer.json; needs the passphrase to encrypt it with")
    .action((hex: string, { force }: { force?: boolean }) =>
      importKey(hex, { context, overwrite: force === true }),
    );
}

async function exportKey(context: CliContext): Promise<void> {
  const { path, passphrase } = signerOf(context);
  const pair = await openSigner(path, passphrase);
  context.warn("WARNING: EXPORTING PRIVATE KEY. Whoever has it can sign blocks of this chain.");
  context.warn("Keep it off disks and screens that others see.");
  context.print(toHex(rawPrivateKey(pair)));
}

async function importKey(
  argument: string,
  { context, overwrite }: { readonly context: CliContext; readonly overwrite: boolean },
): Promise<void> {
  const hex = argument === "-" ? (await text(process.stdin)).trim() : argument;
  const raw = fromHex(hex);
  const pair = raw === null ? null : keyPairFromRaw(raw);
  if (pair === null) {
    throw usageError(
      "the key is no 64-byte private key in hexadecimal; give what evm keys export printed",
    );
  }
  const { path, passphrase } = signerOf(context);
  await writeSigner(path, pair, { passphrase, overwrite });
  context.print(`Successfully imported key and saved to ${path}`);
}

function signerOf(context: CliContext): { readonly path: string; readonly passphrase: string } {
  const { config } = loadContextConfig(context);
  const { secret, warnings } = requirePassphrase(config, context.environment);
  for (const warning of warnings) context.warn(`evm: warning: ${warning}`);
  return { path: join(config.signer.signerPath, "signer.json"), passphrase: secret.reveal() };
}
