/** What ends the consensus thread decides the process' exit code, so its kind must survive the way over. */

import { expect, it } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import { exitCodeOf } from "../../src/cli/report-error.ts";
import { errorFromReport, reportError } from "../../src/consensus/error-report.ts";
import { StorageError } from "../../src/storage/errors.ts";

function thrownBy(act: () => void): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

const corrupt = new StorageError(
  { code: "STORAGE_CORRUPT", path: "raft.mdb", database: "log", key: "7" },
  "entry 7 is damaged",
);

it.each([
  ["a system call", thrownBy(() => process.chdir("/nowhere/at/all")), 74],
  ["a damaged file", corrupt, 74],
  ["a broken invariant", new InvariantError("terms only grow"), 70],
  ["a bug", new TypeError("x is not a function"), 70],
  ["nonsense", "a string", 70],
])("%s", (_what, error, exitCode) => {
  const arrived = errorFromReport(structuredClone(reportError(error)));
  expect(exitCodeOf(arrived)).toBe(exitCode);
  expect(exitCodeOf(error)).toBe(exitCode);
  if (error instanceof Error)
    expect(arrived).toMatchObject({ message: error.message, stack: error.stack });
});
