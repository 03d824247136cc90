/** Three nodes and three clients by Docker: without Docker, all of it that a shell and the configuration understand. */

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readFlags } from "../../src/config/flag-source.ts";
import { loadConfig } from "../../src/config/load.ts";
import { repository } from "./repository.ts";

const root = mkdtempSync(join(tmpdir(), "compose-"));
const homes = join(root, "homes");
const passphrase = "correct horse";
const numbers = [1, 2, 3] as const;

afterAll(() => rmSync(root, { recursive: true }));

const { services } = parse(readFileSync(repository("deploy/compose.yaml"), "utf8"), {
  merge: true,
});

/** What the setup service has: `evm` in the path, and nothing of this process. */
function runSetup(): void {
  const bin = join(root, "bin");
  mkdirSync(bin, { recursive: true });
  const evm = join(bin, "evm");
  const main = repository("src/cli/main.ts");
  writeFileSync(evm, `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`);
  chmodSync(evm, 0o755);
  execFileSync(repository("deploy/compose-setup.sh"), {
    env: {
      PATH: `${bin}:${process.env["PATH"]}`,
      HOMES: homes,
      GENESIS: repository("config/evm-genesis.json"),
      EV_SIGNER_PASSPHRASE: passphrase,
    },
    stdio: "pipe",
  });
}

/** What a service's shell would run, one word an argument; compose makes one dollar of two. */
function wordsOf(service: string, command: string): { words: string[]; environment: string } {
  const { hostname, command: lines, volumes } = services[service];
  const script = String(lines[0])
    .replaceAll("$$", "$")
    .replaceAll("/data", onHost(volumes, "/data"));
  const shown = `${command}() { printf '%s\\n' "$@" "$EVNODE_P2P_PEERS"; exit; }\n`;
  const output = execFileSync("sh", ["-c", shown + script.replaceAll(`exec ${command}`, command)], {
    env: { HOSTNAME: hostname, PATH: process.env["PATH"] },
    encoding: "utf8",
  });
  const words = output.trimEnd().split("\n");
  return { words: words.slice(0, -1), environment: words.at(-1) ?? "" };
}

/** Where this test has the volume that a service sees at `path`. */
function onHost(volumes: readonly string[], path: string): string {
  const found = volumes.find((volume) => volume.split(":")[1] === path);
  return join(homes, found?.split(":")[0] ?? "no such volume");
}

describe("deploy/compose.yaml", () => {
  beforeAll(() => {
    mkdirSync(homes);
    runSetup();
  }, 300_000);

  it.each(numbers)("node-%i starts with a configuration that has no problem", (n) => {
    const { words, environment } = wordsOf(`node-${n}`, "evm");
    expect(words[0]).toBe("start");
    const flags = readFlags(words.slice(1));
    expect(flags).toMatchObject({ rest: [], usageProblems: [] });
    const { config, warnings } = loadConfig({
      home: flags.home,
      flags,
      environment: {
        EVNODE_HOME: onHost(services[`node-${n}`].volumes, "/data"),
        EVNODE_P2P_PEERS: environment,
        EV_SIGNER_PASSPHRASE: passphrase,
      },
      workingDirectory: root,
    });
    expect(warnings).toEqual([]);
    expect(config.execution.type).toBe("engine");
    expect(config.evm).toMatchObject({
      ethUrl: `http://geth-${n}:8545`,
      engineUrl: `http://geth-${n}:8551`,
      jwtSecretFile: "/jwt/jwt.hex",
    });
    expect(config.home).toBe(join(homes, `node-${n}`));
    expect(services[`node-${n}`].volumes).toEqual([`node-${n}:/data`, `jwt-${n}:/jwt:ro`]);
    expect(config.raft.nodeId).toBe(`node-${n}`);
    const others = numbers.filter((other) => other !== n);
    expect(config.raft.peers.map(({ address }) => address)).toEqual(
      others.map((other) => `node-${other}:5001`),
    );
    for (const other of others) expect(services).toHaveProperty(`node-${other}`);
    expect(services[`node-${n}`].hostname).toBe(`node-${n}`);
  });

  it("nodes share signer and genesis, have a key each, and a secret with their client", () => {
    const read = (n: number, file: string) =>
      readFileSync(join(homes, `node-${n}`, "config", file), "utf8");
    for (const file of ["signer.json", "genesis.json"]) {
      expect(new Set(numbers.map((n) => read(n, file))).size).toBe(1);
    }
    expect(new Set(numbers.map((n) => read(n, "node_key.json"))).size).toBe(3);
    const secrets = numbers.map((n) => readFileSync(join(homes, `jwt-${n}`, "jwt.hex"), "utf8"));
    expect(new Set(secrets).size).toBe(3);
    for (const secret of secrets) expect(secret).toMatch(/^[0-9a-f]{64}$/);
  });

  it("the image's home and user are those of compose", () => {
    const image = readFileSync(repository("deploy/Dockerfile"), "utf8");
    expect(image).toMatch(/^USER node$/m);
    expect(image).toMatch(/^ENV EVNODE_HOME=\/data$/m);
    expect(image).toMatch(/^VOLUME \/data$/m);
    expect(image).toContain("http://127.0.0.1:26657/health/live");
    for (const n of numbers) expect(services[`node-${n}`].restart).toBe("unless-stopped");
  });

  it("set up again, everything stays as it is", () => {
    const before = readFileSync(join(homes, "node-1/config/signer.json"), "utf8");
    runSetup();
    expect(readFileSync(join(homes, "node-1/config/signer.json"), "utf8")).toBe(before);
  });

  it.each(numbers)("geth-%i has its node's secret, and takes blocks from nobody else", (n) => {
    const { command, hostname, volumes } = services[`geth-${n}`];
    const text = String(command[0]).replaceAll("$$", "$");
    expect(text).toContain("--authrpc.jwtsecret=/jwt/jwt.hex");
    expect(hostname).toBe(`geth-${n}`);
    expect(text).toMatch(/--syncmode=full .*--maxpeers=0 --nodiscover/s);
    expect(volumes).toEqual([
      `jwt-${n}:/jwt:ro`,
      `geth-${n}:/data`,
      "../config/evm-genesis.json:/genesis.json:ro",
    ]);
  });
});
