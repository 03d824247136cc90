/** `evm init`, and what reads the home it makes. */

import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { evm, temporaryDirectory } from "./evm.ts";

const { path: directory, remove } = temporaryDirectory();
const environment = { EV_SIGNER_PASSPHRASE: "correct horse" };
const home = join(directory, "node-1");
const configDir = join(home, "config");

afterAll(remove);

describe("a first node", () => {
  let stdout = "";
  beforeAll(async () => {
    const args = [
      "init",
      `--home=${home}`,
      "--evnode.node.aggregator=true",
      "--evnode.raft.rtt_max",
      "25ms",
      "--chain_id=chain-7",
    ];
    const ended = await evm(args, { environment });
    expect(ended).toMatchObject({ exitCode: 0, stderr: "" });
    stdout = ended.stdout;
  });

  it("has its files, for its user alone", () => {
    const files = readdirSync(configDir).sort();
    expect(files).toEqual(["evnode.yaml", "genesis.json", "node_key.json", "signer.json"]);
    for (const file of files) expect(statSync(join(configDir, file)).mode & 0o777).toBe(0o600);
    for (const path of [home, configDir]) expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it("has its flags in the file, and its chain in the genesis", () => {
    const yaml = readFileSync(join(configDir, "evnode.yaml"), "utf8");
    expect(yaml).toMatch(/^ {2}aggregator: true$/m);
    expect(yaml).toMatch(/^ {2}rtt_max: 25ms$/m);
    expect(readFileSync(join(configDir, "genesis.json"), "utf8")).toContain(
      '"chain_id": "chain-7"',
    );
  });

  it("is told what to do next, and its peer id, which net-info prints before the first start (T5)", async () => {
    const peerId = /^peer_id: (12D3KooW\w+)$/m.exec(stdout)?.[1];
    expect(stdout).toContain(`Successfully initialized config file at ${configDir}/evnode.yaml`);
    expect(stdout).toContain(`evm start --home=${home}`);
    const text = await evm(["net-info", "--home", home]);
    expect(text.stdout).toMatch(new RegExp(`^peer_id: ${peerId}$`, "m"));
    const json = await evm(["net-info", "-o", "json", `--home=${home}`]);
    expect(JSON.parse(json.stdout)).toEqual({
      peer_id: peerId,
      node_id: peerId,
      raft_node_id: null,
      is_running: false,
      listen_addresses: [`/ip4/0.0.0.0/tcp/7676/p2p/${peerId}`],
      peers: [],
    });
  });

  it("passes its own check", async () => {
    const {
      exitCode,
      stdout: report,
      stderr,
    } = await evm(["config", "check", "--home", home], { environment });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(report).toContain(`ok: ${configDir}/evnode.yaml`);
  });

  it("is not overwritten", async () => {
    const before = readFileSync(join(configDir, "signer.json"), "utf8");
    const { exitCode, stderr } = await evm(["init", "--home", home, "--evnode.node.aggregator"], {
      environment,
    });
    expect(exitCode).toBe(78);
    expect(stderr).toBe(
      `evm: ${configDir}/evnode.yaml exists already, and is not overwritten. ` +
        "Move it away first if you really want a new one\n",
    );
    expect(readFileSync(join(configDir, "signer.json"), "utf8")).toBe(before);
  });

  it("shares signer and genesis with a second one", async () => {
    const second = join(directory, "node-2");
    mkdirSync(join(second, "config"), { recursive: true });
    for (const file of ["signer.json", "genesis.json"]) {
      writeFileSync(join(second, "config", file), readFileSync(join(configDir, file)));
    }
    const args = ["init", "--home", second, "--evnode.node.aggregator"];
    const wrong = await evm(args, { environment: { EV_SIGNER_PASSPHRASE: "another" } });
    expect(wrong.exitCode).toBe(78);
    expect(wrong.stderr).toContain(`the passphrase does not open ${second}/config/signer.json`);
    const { exitCode, stdout: report } = await evm(args, { environment });
    expect(exitCode).toBe(0);
    expect(report).toContain(`genesis: ${second}/config/genesis.json (was there, and is kept)`);
    expect(report).toContain("chain_id: chain-7");
    expect(readFileSync(join(second, "config", "genesis.json"))).toEqual(
      readFileSync(join(configDir, "genesis.json")),
    );
  });

  it("exports its key, and imports it under another passphrase", async () => {
    const exported = await evm(["keys", "export", "--home", home], { environment });
    expect(exported.stdout).toMatch(/^[0-9a-f]{128}\n$/);
    expect(exported.stderr).toContain("WARNING: EXPORTING PRIVATE KEY");
    const third = { EV_SIGNER_PASSPHRASE: "third" };
    const args = ["keys", "import", "-", "--home", home];
    const refused = await evm(args, { environment: third, stdin: exported.stdout });
    expect(refused.exitCode).toBe(78);
    expect(refused.stderr).toContain("exists already");
    const forced = await evm([...args, "--force"], { environment: third, stdin: exported.stdout });
    expect(forced).toMatchObject({
      exitCode: 0,
      stdout: `Successfully imported key and saved to ${configDir}/signer.json\n`,
    });
    const again = await evm(["keys", "export", "--home", home], { environment: third });
    expect(again.stdout).toBe(exported.stdout);
  });

  it("shows addresses and peers while it runs, and no other node's", async () => {
    const peerId = /^peer_id: (.+)$/m.exec(stdout)?.[1] ?? "";
    for (const id of [peerId, "12D3KooWsomebodyelse"]) {
      const server = createServer((request, response) => {
        response.end(
          JSON.stringify(request.url === "/net_info" ? netInfoAnswer : statusAnswer(id)),
        );
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const address = server.address() as AddressInfo;
      const flag = `--evnode.rpc.address=127.0.0.1:${address.port}`;
      const { stdout: json } = await evm(["net-info", "-o", "json", "--home", home, flag]);
      const { stdout: text } = await evm(["net-info", "--home", home, flag]);
      server.close();
      const isOurs = id === peerId;
      expect(JSON.parse(json)).toMatchObject({
        is_running: isOurs,
        peers: isOurs ? [{ ...otherPeer, direction: "outbound" }] : [],
      });
      expect(text).toContain(isOurs ? "node: running, height 41" : "node: not running");
    }
  });
});

const otherPeer = { id: "12D3KooWother", address: "/ip4/10.0.0.2/tcp/26656" };
const netInfoAnswer = {
  result: {
    listeners: ["/ip4/127.0.0.1/tcp/26656"],
    peers: [{ node_info: { id: otherPeer.id, listen_addr: otherPeer.address }, is_outbound: true }],
  },
};
function statusAnswer(id: string): object {
  return { result: { node_info: { id }, sync_info: { latest_block_height: "41" } } };
}

describe("other homes", () => {
  it("an aggregator without a passphrase makes nothing, and says how to give one", async () => {
    const path = join(directory, "no-passphrase");
    const { exitCode, stderr } = await evm(["init", "--home", path, "--evnode.node.aggregator"]);
    expect(exitCode).toBe(78);
    expect(stderr).toContain("set the variable EV_SIGNER_PASSPHRASE");
    expect(() => statSync(path)).toThrow("ENOENT");
  });

  it("a node without a signer has a key and a configuration", async () => {
    const path = join(directory, "plain");
    const { exitCode, stdout } = await evm(["init", "--home", path]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("copy signer.json and genesis.json from the first member");
    expect(readdirSync(join(path, "config")).sort()).toEqual(["evnode.yaml", "node_key.json"]);
  });

  it("a genesis of another signer is refused, and nothing is left behind", async () => {
    const path = join(directory, "foreign");
    mkdirSync(join(path, "config"), { recursive: true });
    const genesis = readFileSync(join(configDir, "genesis.json"));
    writeFileSync(join(path, "config", "genesis.json"), genesis);
    const args = ["init", "--home", path, "--evnode.node.aggregator"];
    const { exitCode, stderr } = await evm(args, { environment });
    expect(exitCode).toBe(78);
    expect(stderr).toContain("proposer_address is not the address of signer.json");
    expect(readdirSync(join(path, "config"))).toEqual(["genesis.json"]);
  });

  it("a passphrase on the command line works, with a warning (T1)", async () => {
    const path = join(directory, "typed");
    const args = [
      "init",
      "--home",
      path,
      "--evnode.node.aggregator=true",
      "--evnode.signer.passphrase",
      "pw",
    ];
    const { exitCode, stderr } = await evm(args);
    expect(exitCode).toBe(0);
    expect(stderr).toBe(
      "evm: warning: signer.passphrase was given as a value that other users of this machine may see: " +
        "use EV_SIGNER_PASSPHRASE\n",
    );
    rmSync(path, { recursive: true });
  });

  it("an Ethereum genesis names the chain, and is told what is left to do", async () => {
    const path = join(directory, "ethereum");
    const genesis = join(import.meta.dirname, "../../config/evm-genesis.json");
    const args = ["init", "--home", path, "--evnode.node.aggregator", `--evm.genesis=${genesis}`];
    const { exitCode, stdout, stderr } = await evm(args, { environment });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toContain("chain_id: 1234");
    expect(stdout).toMatch(/initialise this node's execution client.*evm\.genesis_hash/);
    const file = JSON.parse(readFileSync(join(path, "config", "genesis.json"), "utf8"));
    expect(file).toMatchObject({ chain_id: "1234", initial_height: 1 });
    const yaml = readFileSync(join(path, "config", "evnode.yaml"), "utf8");
    expect(yaml).toMatch(/^ {2}type: engine$/m);
  });

  it("an Ethereum genesis that is none makes nothing, and is no flag of a start", async () => {
    const path = join(directory, "no-ethereum");
    const none = join(configDir, "genesis.json");
    const args = ["--home", path, "--evnode.node.aggregator", "--evm.genesis", none];
    const refused = await evm(["init", ...args], { environment });
    expect(refused).toMatchObject({
      exitCode: 78,
      stderr: expect.stringContaining("config is missing"),
    });
    expect(() => statSync(path)).toThrow("ENOENT");
    const started = await evm(["start", ...args], { environment });
    expect(started.exitCode).toBe(64);
  });

  it("net-info before init says what to do", async () => {
    const path = join(directory, "none");
    const { exitCode, stderr } = await evm(["net-info", "--home", path]);
    expect(exitCode).toBe(78);
    expect(stderr).toContain(`${path}/config/node_key.json does not exist. Run evm init`);
  });

  it("net-info knows who it is whatever the configuration says", async () => {
    const path = join(directory, "plain");
    writeFileSync(join(path, "config", "evnode.yaml"), "node: [");
    const { exitCode, stdout, stderr } = await evm(["net-info", "--home", path]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("peer_id: 12D3KooW");
    expect(stderr).toContain("is not valid YAML");
  });
});
