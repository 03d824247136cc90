import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  requireJwtSecret,
  requirePassphrase,
  resolveAdminToken,
  resolveJwtSecret,
  resolvePassphrase,
} from "../../src/config/secrets.ts";
import { loadGood } from "./load-text.ts";

const directory = mkdtempSync(join(tmpdir(), "evm-secrets-"));
const file = join(directory, "passphrase");
const credentials = join(directory, "credentials");

beforeAll(() => {
  mkdirSync(credentials);
  writeFileSync(file, "  from the file\n", { mode: 0o600 });
  writeFileSync(join(credentials, "signer-passphrase"), "from the credential\n", { mode: 0o400 });
});
afterAll(() => rmSync(directory, { recursive: true }));

function resolve(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const { config } = loadGood({ args, environment });
  const resolved = resolvePassphrase(config, environment);
  return resolved === null
    ? null
    : [resolved.secret.reveal(), resolved.source, resolved.warnings.length];
}

describe("the signer's passphrase", () => {
  it.each<[string, string[], Record<string, string>, unknown]>([
    ["is not given", [], {}, null],
    [
      "is a variable",
      [],
      { EV_SIGNER_PASSPHRASE: "from the shell" },
      ["from the shell", "variable EV_SIGNER_PASSPHRASE", 0],
    ],
    [
      "is the text of a file, trimmed",
      [`--evnode.signer.passphrase_file=${file}`],
      {},
      ["from the file", `file ${file}`, 0],
    ],
    [
      "is a systemd credential",
      [],
      { CREDENTIALS_DIRECTORY: credentials },
      ["from the credential", "systemd credential signer-passphrase", 0],
    ],
    ["is no credential of that name", [], { CREDENTIALS_DIRECTORY: directory }, null],
    [
      "is on the command line, with a warning (T1)",
      ["--evnode.signer.passphrase=typed"],
      {},
      ["typed", "setting signer.passphrase", 1],
    ],
    [
      "is the variable of its key, which nobody else sees",
      [],
      { EVNODE_SIGNER_PASSPHRASE: "quiet" },
      ["quiet", "variable EVNODE_SIGNER_PASSPHRASE", 0],
    ],
    [
      "is given twice alike, as the guide does",
      ["--evnode.signer.passphrase=same"],
      { EV_SIGNER_PASSPHRASE: "same" },
      ["same", "variable EV_SIGNER_PASSPHRASE", 1],
    ],
  ])("%s", (_, args, environment, expected) => {
    expect(resolve(args, environment)).toEqual(expected);
  });

  it("given twice and differently is refused, without showing either", () => {
    const environment = { EV_SIGNER_PASSPHRASE: "hunter2" };
    expect(() => resolve([`--evnode.signer.passphrase_file=${file}`], environment)).toThrow(
      `signer.passphrase: differs between variable EV_SIGNER_PASSPHRASE and file ${file}; give only one`,
    );
  });

  it("in a file that is not there, or empty, is refused", () => {
    expect(() => resolve([`--evnode.signer.passphrase_file=${directory}/none`])).toThrow(
      "cannot be read (ENOENT): there is no such file; create it",
    );
    const empty = join(directory, "empty");
    writeFileSync(empty, "\n");
    expect(() => resolve([`--evnode.signer.passphrase_file=${empty}`])).toThrow("is empty");
  });

  it("in a file that others can read comes with a warning", () => {
    const open = join(directory, "open");
    writeFileSync(open, "x");
    chmodSync(open, 0o644);
    expect(resolve([`--evnode.signer.passphrase_file=${open}`])).toEqual(["x", `file ${open}`, 1]);
  });

  it("is required with advice", () => {
    const { config } = loadGood({});
    expect(() => requirePassphrase(config, {})).toThrow("set the variable EV_SIGNER_PASSPHRASE");
  });
});

describe("other secrets", () => {
  it("the Engine API's is 32 bytes in hexadecimal", () => {
    const { config } = loadGood({ args: [`--evm.jwt-secret=0x${"ab".repeat(32)}`] });
    expect(resolveJwtSecret(config, {})?.secret.reveal()).toHaveLength(66);
    const short = loadGood({ args: ["--evm.jwt-secret=abcd"] }).config;
    expect(() => resolveJwtSecret(short, {})).toThrow("is not 32 bytes in hexadecimal");
    expect(() => requireJwtSecret(loadGood({}).config, {})).toThrow(
      "give --evm.jwt-secret-file=FILE",
    );
  });

  it("the admin token may come from a file", () => {
    const { config } = loadGood({ args: [`--evnode.rpc.admin_token_file=${file}`] });
    expect(resolveAdminToken(config, {})?.secret.reveal()).toBe("from the file");
  });
});
