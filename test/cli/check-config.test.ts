/** What depends on who asks; all else is in command-line.test.ts. */

import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { problemsAtStart } from "../../src/cli/check-config.ts";
import { inspectConfig } from "../../src/config/load.ts";
import { temporaryDirectory } from "./evm.ts";

/** Nobody's, on every Linux. */
const otherUser = 65_534;

/** As a user who may not read what is closed: root may read everything. */
function asOther<T>(call: () => T): T {
  if (process.geteuid?.() !== 0) return call();
  process.seteuid?.(otherUser);
  try {
    return call();
  } finally {
    process.seteuid?.(0);
  }
}

it("only warns of a secret that the service may read and this user may not, and does not ask to open it", () => {
  const { path: home, remove } = temporaryDirectory();
  mkdirSync(join(home, "config"));
  const secret = join(home, "passphrase");
  writeFileSync(secret, "a passphrase", { mode: 0o600 });
  const yaml = "node: { aggregator: true }\nsigner: { passphrase_file: passphrase }\n";
  writeFileSync(join(home, "config", "evnode.yaml"), yaml);
  const inspected = inspectConfig({
    environment: {},
    flags: { settings: [], problems: [] },
    home,
    workingDirectory: home,
  });
  expect(problemsAtStart(inspected, {})).toEqual([]);
  chmodSync(secret, 0);
  const problems = asOther(() => problemsAtStart(inspected, {}));
  expect(problems).toMatchObject([
    {
      severity: "warning",
      message: `${secret} cannot be read (EACCES): the user that the node runs as must be able to read it, and nobody else`,
    },
  ]);
  chmodSync(secret, 0o600);
  remove();
});
