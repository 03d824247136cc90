import { describe, expect, it } from "vitest";
import { processTitle } from "../../src/cli/process-title.ts";
import { allKeys } from "../../src/config/schema.ts";

describe("processTitle", () => {
  it.each([
    [["start"], "evm start"],
    [["start", "--home", "/srv/evm"], "evm start --home /srv/evm"],
    [["--evnode.raft.node_id=a", "start"], "evm --evnode.raft.node_id=a start"],
    [
      ["start", "--evnode.signer.passphrase=hunter2", "--evnode.raft.enable"],
      "evm start --evnode.signer.passphrase=(hidden) --evnode.raft.enable",
    ],
    [
      ["start", "--evm.jwt-secret", "hunter2", "--home=/x"],
      "evm start --evm.jwt-secret=(hidden) --home=/x",
    ],
    [
      ["start", "--evnode.signer.passphrase_file=/etc/pass"],
      "evm start --evnode.signer.passphrase_file=/etc/pass",
    ],
    [["keys", "import", "ab".repeat(64)], "evm keys import (hidden)"],
  ])("of %j", (args, title) => {
    expect(processTitle(args)).toBe(title);
  });

  it("hides every secret there is, in every spelling of its flag", () => {
    for (const { isSecret, flag } of allKeys) {
      if (!isSecret) continue;
      for (const spelling of [flag, flag.replace("--evnode.", "--rollkit."), flag.toUpperCase()]) {
        for (const args of [[`${spelling}=hunter2`], [spelling, "hunter2"]]) {
          expect(processTitle(["start", ...args])).not.toContain("hunter2");
        }
      }
    }
  });
});
