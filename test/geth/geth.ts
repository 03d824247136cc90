/** A geth process on loopback, with a data directory of its own. */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { gethPath } from "./binary.ts";

/** The example that operators begin with. */
export const exampleGenesis = JSON.parse(
  readFileSync(new URL("../../config/evm-genesis.json", import.meta.url), "utf8"),
);

export interface GethOptions {
  readonly directory: string;
  /** What `geth init` takes. */
  readonly genesis?: unknown;
  /** Milliseconds after which a payload that is being built is built anew. */
  readonly recommitMs?: number;
  /** What its port offers. */
  readonly modules?: readonly string[];
}

interface Running {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
}

const startMaxMs = 60_000;

export class Geth {
  readonly directory: string;
  readonly jwtSecret: Uint8Array = randomBytes(32);
  readonly #jwtPath: string;
  readonly #options: GethOptions;
  /** How often its process was started. */
  starts = 0;
  /** Chosen by the system at the first start, and kept. */
  #ports = { http: 0, auth: 0 };
  #running: Running | null = null;
  readonly #log: string[] = [];

  constructor(options: GethOptions) {
    this.#options = options;
    this.directory = options.directory;
    mkdirSync(this.directory, { recursive: true });
    this.#jwtPath = join(this.directory, "jwt.hex");
    writeFileSync(this.#jwtPath, Buffer.from(this.jwtSecret).toString("hex"), { mode: 0o600 });
    this.#init();
  }

  get ethUrl(): string {
    return `http://127.0.0.1:${this.#ports.http}`;
  }

  get engineUrl(): string {
    return `http://127.0.0.1:${this.#ports.auth}`;
  }

  /** What it logged last. */
  get log(): string {
    return this.#log.slice(-60).join("\n");
  }

  /** Resolves once both ports answer. */
  async start(): Promise<void> {
    const { recommitMs = 2_000 } = this.#options;
    this.starts++;
    const flags = {
      datadir: this.#dataDirectory,
      networkid: String(exampleGenesis.config.chainId),
      syncmode: "full",
      "http.addr": "127.0.0.1",
      "http.port": String(this.#ports.http),
      "http.api": (this.#options.modules ?? ["eth", "net", "web3", "txpool", "debug"]).join(),
      "authrpc.addr": "127.0.0.1",
      "authrpc.port": String(this.#ports.auth),
      "authrpc.jwtsecret": this.#jwtPath,
      "miner.recommit": `${recommitMs}ms`,
      cache: "64",
      maxpeers: "0",
      port: "0",
    };
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const switches = ["--http", "--ipcdisable", "--nodiscover", "--nat=none"];
    const child = spawn(gethPath, [...args, ...switches], { stdio: ["ignore", "ignore", "pipe"] });
    this.#running = { child, exited: once(child, "exit") };
    await this.#listening(child);
  }

  /** As an operator stops it: with its state on disk. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** It answers no more, and its ports stay open. */
  pause(): void {
    this.#running?.child.kill("SIGSTOP");
  }

  resume(): void {
    this.#running?.child.kill("SIGCONT");
  }

  /** Only while it is stopped: it has the genesis again, and nothing else. */
  wipe(): void {
    rmSync(this.#dataDirectory, { recursive: true });
    this.#init();
  }

  get #dataDirectory(): string {
    return join(this.directory, "data");
  }

  #init(): void {
    const genesisPath = join(this.directory, "genesis.json");
    writeFileSync(genesisPath, JSON.stringify(this.#options.genesis ?? exampleGenesis));
    const args = ["init", `--datadir=${this.#dataDirectory}`, genesisPath];
    execFileSync(gethPath, args, { stdio: "pipe" });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const running = this.#running;
    if (running === null) return;
    this.#running = null;
    running.child.kill("SIGCONT");
    running.child.kill(signal);
    await running.exited;
  }

  #listening(child: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (problem: string) => {
        clearTimeout(timer);
        reject(new Error(`${problem}:\n${this.log}`));
      };
      const timer = setTimeout(() => fail("geth does not listen"), startMaxMs);
      const onExit = () => fail("geth ended at its start");
      child.once("exit", onExit);
      child.once("error", (error) => fail(error.message));
      let found = 0;
      if (child.stderr === null) return fail("geth has no output");
      createInterface({ input: child.stderr }).on("line", (line) => {
        this.#log.push(line);
        if (this.#log.length > 1_000) this.#log.splice(0, 500);
        const match = /HTTP server started +endpoint=127\.0\.0\.1:(\d+) auth=(\w+)/.exec(line);
        if (match === null) return;
        const [, port, isAuth] = match;
        if (isAuth === "true") this.#ports = { ...this.#ports, auth: Number(port) };
        else this.#ports = { ...this.#ports, http: Number(port) };
        found++;
        if (found < 2) return;
        clearTimeout(timer);
        child.off("exit", onExit);
        resolve();
      });
    });
  }
}
