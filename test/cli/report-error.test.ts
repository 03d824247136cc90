import { describe, expect, it } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import { CliError, unavailable, usageError } from "../../src/cli/errors.ts";
import { describeFailure, exitCodeOf } from "../../src/cli/report-error.ts";
import { ConfigError } from "../../src/config/problem.ts";
import { ioError, missing } from "../../src/home/errors.ts";
import { badAddress, diverged, foreignChain, listenFailed } from "../../src/p2p/errors.ts";
import { executorDiverged } from "../../src/sequencer/errors.ts";
import { StorageError } from "../../src/storage/errors.ts";
import { TransportError } from "../../src/transport/errors.ts";

const hash = new Uint8Array(32);
const systemError = Object.assign(new Error("ENOSPC: no space left"), { syscall: "write" });

describe("exitCodeOf", () => {
  it.each<[string, unknown, number]>([
    ["usage", usageError("x"), 64],
    ["an exception of nobody's", new CliError({ code: "CLI_STRAY" }, ""), 69],
    ["nodes that do not answer", unavailable("x"), 69],
    ["a wrong admin token", new CliError({ code: "CLI_UNAUTHORIZED" }, ""), 78],
    ["configuration", new ConfigError([]), 78],
    ["a file of the home that is missing", missing("/x", ""), 78],
    ["a file of the home that cannot be read", ioError("read", "/x", systemError), 74],
    [
      "a full disk",
      new StorageError({ code: "STORAGE_FULL", directory: "/", freeBytes: 0 }, ""),
      74,
    ],
    [
      "a second process",
      new StorageError({ code: "STORAGE_LOCKED", directory: "/", holder: "1" }, ""),
      69,
    ],
    [
      "a port in use",
      new TransportError({ code: "TRANSPORT_ADDRESS_IN_USE", address: ":1" }, ""),
      69,
    ],
    ["a p2p peer that is no multiaddr", badAddress("p2p.peers", "x", "is none"), 78],
    ["a p2p port in use", listenFailed("/ip4/127.0.0.1/tcp/1", "EADDRINUSE", null), 69],
    ["a head that peers do not have", diverged(1, hash, hash), 70],
    ["a chain of another genesis", foreignChain(1, ""), 78],
    ["a state that others do not have", executorDiverged(1, hash, hash), 70],
    ["a broken invariant", new InvariantError("x"), 70],
    ["an error of the system", systemError, 74],
    ["a bug", new TypeError("x"), 70],
    ["whatever else is thrown", "x", 70],
  ])("%s", (_, error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });
});

describe("describeFailure", () => {
  it("is one line for what the world did, and a stack for a bug", () => {
    const quiet = { withStack: false };
    expect(describeFailure(usageError("write X"), quiet)).toBe("evm: write X");
    expect(describeFailure(systemError, quiet)).toBe("evm: ENOSPC: no space left");
    expect(describeFailure(new TypeError("x"), quiet)).toContain("report-error.test.ts");
    expect(describeFailure(usageError("write X"), { withStack: true })).toContain("    at ");
  });
});
