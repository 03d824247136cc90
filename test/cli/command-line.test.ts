/** The command line: usage, exit codes, help, and what others can see of it. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { evm, startEvm, temporaryDirectory } from "./evm.ts";

const { path: home, remove } = temporaryDirectory();
afterAll(remove);

describe("usage", () => {
  it.each([
    [["versoin"], "evm: unknown command 'versoin'\n(Did you mean version?)\n"],
    [["config", "chek"], "evm: unknown command 'chek'\n(Did you mean check?)\n"],
    [["init", "--hom"], "evm: unknown option '--hom'\n(Did you mean --home?)\n"],
    [
      ["version", "--evnode.raft.nodeid=a"],
      "evm: unknown flag --evnode.raft.nodeid; did you mean --evnode.raft.node_id?\n",
    ],
    [
      ["config", "check", "--evnode.raft.node_id"],
      "evm: flag needs an argument: --evnode.raft.node_id; write --evnode.raft.node_id=VALUE\n",
    ],
    [
      ["version", "now"],
      "evm: too many arguments for 'version'. Expected 0 arguments but got 1.\n",
    ],
    [["keys", "import"], "evm: missing required argument 'hex'\n"],
    [
      ["net-info", "-o", "xml"],
      "evm: option '-o, --output <format>' argument 'xml' is invalid. Allowed choices are text, json.\n",
    ],
  ])("%j is refused with advice and 64", async (args, stderr) => {
    expect(await evm(args)).toEqual({ exitCode: 64, stdout: "", stderr });
  });

  it("no command at all prints the help, and is no success", async () => {
    const { exitCode, stderr } = await evm([]);
    expect(exitCode).toBe(64);
    expect(stderr).toContain("Usage: evm COMMAND");
  });

  it.each([[["--help"]], [["help", "init"]], [["init", "-h"]]])("%j is a success", async (args) => {
    const { exitCode, stdout, stderr } = await evm(args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toContain("Usage: evm");
  });

  it("start refuses an execution client without its secret with 78", async () => {
    const client = ["--evnode.node.aggregator", "--evm.genesis-hash", "ab".repeat(32)];
    const flags = [`--home=${home}/engine`, ...client];
    const environment = { EV_SIGNER_PASSPHRASE: "a passphrase" };
    const { exitCode, stdout, stderr } = await evm(["start", ...flags], { environment });
    expect({ exitCode, stdout }).toEqual({ exitCode: 78, stdout: "" });
    expect(stderr).toMatch(/evm\.jwt_secret_file: is required .*--evm\.jwt-secret-file=FILE/);
  });

  it("the help of init lists the settings", async () => {
    const { stdout } = await evm(["init", "--help"]);
    expect(stdout).toContain("--evnode.raft.heartbeat_timeout=duration (default 350ms)");
  });

  it("version says what is running", async () => {
    const { stdout } = await evm(["version"]);
    expect(stdout).toMatch(
      /^evm version: \d+\.\d+\.\d+\ngit sha: (\w{40}|unknown)\nnode: v\d+.*\nraft protocol: 3\n$/,
    );
  });

  it("output that nobody reads to its end is no failure", async () => {
    const child = startEvm(["config", "default"]);
    child.stdout.destroy();
    const code = await new Promise((resolve) => child.once("exit", resolve));
    expect(code).toBe(0);
  });
});

describe("config check", () => {
  it("prints every problem with its line, and the warnings, and ends with 78 (P12)", async () => {
    mkdirSync(join(home, "config"));
    const yaml = "node:\n  block_time: 1\n  light: true\nraft:\n  enable: true\n  nodeid: a\n";
    const file = join(home, "config", "evnode.yaml");
    writeFileSync(file, yaml, { mode: 0o600 });
    const { exitCode, stdout, stderr } = await evm(["config", "check", "--home", home]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 78, stdout: "" });
    expect(stderr).toBe(
      [
        `evm: warning: ${file}:3:10: node.light: is a key of ev-node that is not implemented here: the node keeps whole blocks`,
        "evm: warning: raft.peers: a cluster of one member has a majority of 1 and tolerates no failure; list three or five members",
        "evm: 5 problems in the configuration",
        `  ${file}:2:15: node.block_time: "1" has no unit; write 1ms for milliseconds or 1s for seconds`,
        `  ${file}:5:11: node.aggregator: raft config must be used in sequencer setup only: raft.enable is true and node.aggregator is false; set node.aggregator: true on every member`,
        `  ${file}:6:3: raft.nodeid: is no known key; did you mean raft.node_id?`,
        "  raft.node_id: node ID is required; write a name that no other member has, such as node-1",
        "  raft.raft_addr: raft address is required; write where to listen, such as 0.0.0.0:5001",
        "",
      ].join("\n"),
    );
  });

  it("finds what would stop a start for want of a role or a secret besides all else, with the lines", async () => {
    const { path: place, remove: removePlace } = temporaryDirectory();
    const file = join(place, "config", "evnode.yaml");
    const jwtFile = join(place, "jwt.hex");
    mkdirSync(join(place, "config"));
    writeFileSync(jwtFile, "no hexadecimal\n", { mode: 0o600 });
    const yaml = [
      "node: { block_time: 1, aggregator: false }",
      "execution: { type: engine }",
      `evm: { genesis_hash: "${"ab".repeat(32)}", jwt_secret_file: ${jwtFile} }`,
      "signer: { passphrase_file: gone }",
    ];
    writeFileSync(file, `${yaml.join("\n")}\n`, { mode: 0o600 });
    const { exitCode, stderr } = await evm(["config", "check", "--home", place]);
    expect({ exitCode, stderr: stderr.replaceAll(place, "HOME") }).toEqual({
      exitCode: 78,
      stderr: [
        "evm: 4 problems in the configuration",
        '  HOME/config/evnode.yaml:1:21: node.block_time: "1" has no unit; write 1ms for milliseconds or 1s for seconds',
        "  HOME/config/evnode.yaml:1:36: node.aggregator: is false, and this program only runs sequencers; set node.aggregator: true, and raft.enable: true for a member of a cluster. A full node of the chain runs ev-node",
        "  HOME/config/evnode.yaml:3:107: evm.jwt_secret: from file HOME/jwt.hex is not 32 bytes in hexadecimal; give it the file the execution client has",
        "  HOME/config/evnode.yaml:4:28: signer.passphrase_file: HOME/gone cannot be read (ENOENT): there is no such file; create it",
        "",
      ].join("\n"),
    });
    removePlace();
  });

  it.each([
    [["--evnode.signer.passphrase_file=/nonexistent/passphrase"], {}],
    [
      ["--evnode.rpc.admin_token_file=/nonexistent/token"],
      { EV_SIGNER_PASSPHRASE: "a passphrase" },
    ],
  ])("and start refuse %j alike", async (args, environment) => {
    const flags = ["--home=/nonexistent", "--evnode.node.aggregator", ...args];
    const checked = await evm(["config", "check", ...flags], { environment });
    const started = await evm(["start", ...flags], { environment });
    expect([checked.exitCode, started.exitCode]).toEqual([78, 78]);
    for (const { stderr } of [checked, started])
      expect(stderr).toContain("cannot be read (ENOENT)");
  });

  it("only warns of a passphrase that the service may have and this shell has not", async () => {
    const flags = ["--home=/nonexistent", "--evnode.node.aggregator"];
    const { exitCode, stderr } = await evm(["config", "check", ...flags]);
    expect(exitCode).toBe(0);
    expect(stderr).toContain("evm: warning: signer.passphrase: is required");
  });

  it("says what a good configuration amounts to, with its flags before the command", async () => {
    const args = [
      "--evnode.node.aggregator",
      "--evnode.raft.enable",
      "--evnode.raft.node_id=node-1",
      "--evnode.raft.raft_addr=0.0.0.0:5001",
      "--evnode.raft.peers=node-2@10.0.0.2:5001,node-3@10.0.0.3:5001",
      "--evnode.raft.rtt_max=25ms",
      "--evnode.raft.trailing_logs=18000",
      "--home=/nonexistent",
    ];
    const { exitCode, stdout } = await evm([...args, "config", "check"]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(`\
ok: /nonexistent/config/evnode.yaml
  home: /nonexistent
  blocks: every 1s
  execution: kv
  listens: rpc 0.0.0.0:26657, p2p /ip4/0.0.0.0/tcp/7676
  member: node-1, listens on 0.0.0.0:5001, reached at the address of its first connection to a peer
  peers: node-2@10.0.0.2:5001, node-3@10.0.0.3:5001
  cluster: a cluster of 3 members has a majority of 2 and tolerates one failure
  timeouts: heartbeat 100ms, election 400ms, lease 50ms, send 75ms (rtt_max 25ms)
  failover: a silent leader is replaced within 200ms, at worst (a split vote) within 1s
  log: a member that missed up to 18000 blocks (5h0m0s) catches up from it
`);
  });
});

describe("the command line as others see it", () => {
  it("names the command, and no secret", async () => {
    const args = ["keys", "import", "-", `--home=${home}`, "--evnode.signer.passphrase=hunter2"];
    const child = startEvm(args);
    // It waits for its standard input; its title is set before it does anything.
    const shown = () =>
      readFileSync(`/proc/${child.pid}/cmdline`, "latin1").replaceAll("\0", " ").trim();
    const deadline = Date.now() + 10_000;
    while (!shown().startsWith("evm ") && Date.now() < deadline) await wait(5);
    const title = shown();
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.stdin.end();
    await exited;
    expect(title).toBe(`evm keys import - --home=${home} --evnode.signer.passphrase=(hidden)`);
  });
});
