/** Three members that hash what they apply, as processes: killed, looked into, started again, compared. */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { portPicker } from "../../../src/devnet/free-ports.ts";
import { openRaftStore } from "../../../src/storage/open-raft-store.ts";
import { type Child, startChild } from "../../storage/child-process.ts";
import { Said, type Settings, State } from "./hashing-words.ts";
import { until } from "./until.ts";

const script = fileURLToPath(new URL("hashing-member.ts", import.meta.url));

export class HashingCluster {
  readonly members: readonly HashingMember[];
  readonly #root: string;

  private constructor(root: string, members: readonly HashingMember[]) {
    this.#root = root;
    this.members = members;
  }

  static async create(
    options: Omit<Settings, "id" | "directory" | "ports">,
  ): Promise<HashingCluster> {
    const root = mkdtempSync(join(tmpdir(), "hashing-"));
    const nextPort = portPicker();
    const ports: Record<string, number> = {};
    for (const id of ["a", "b", "c"]) ports[id] = await nextPort("127.0.0.1");
    const hashes = new Map<number, string>();
    const members = Object.keys(ports).map((id) => {
      const directory = join(root, id);
      mkdirSync(directory);
      return new HashingMember({ ...options, id, directory, ports }, hashes);
    });
    for (const member of members) member.start();
    return new HashingCluster(root, members);
  }

  /** The highest index that any member has told. */
  get index(): number {
    return Math.max(...this.members.map((member) => member.index));
  }

  others(member: HashingMember): readonly HashingMember[] {
    return this.members.filter((other) => other !== member);
  }

  count(event: string): number {
    return this.members.reduce((sum, member) => sum + member.count(event), 0);
  }

  /** All of them go on: each gets beyond where the furthest is now. */
  async progresses(): Promise<void> {
    const target = this.index + 20;
    for (const member of this.members) {
      await until(`${member.id} gets beyond ${target}: ${member.story()}`, () => {
        member.check();
        return member.index > target;
      });
    }
  }

  async clear(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    rmSync(this.#root, { recursive: true, force: true });
  }
}

export class HashingMember {
  /** The last index that it told, in this life or an earlier one. */
  index = 0;
  readonly #settings: Settings;
  /** By index: all members must tell the same. */
  readonly #hashes: Map<number, string>;
  readonly #counts = new Map<string, number>();
  #child: Child | null = null;
  #linesRead = 0;

  constructor(settings: Settings, hashes: Map<number, string>) {
    this.#settings = settings;
    this.#hashes = hashes;
  }

  get id(): string {
    return this.#settings.id;
  }

  start(): void {
    this.#child = startChild(process.execPath, [script, JSON.stringify(this.#settings)]);
    this.#linesRead = 0;
  }

  count(event: string): number {
    this.check();
    return this.#counts.get(event) ?? 0;
  }

  /** Takes in what it has said; throws if it has died by itself, or tells another hash than the others. */
  check(): void {
    const child = this.#child;
    if (child === null) return;
    for (const line of child.lines.slice(this.#linesRead)) this.#take(Said.parse(JSON.parse(line)));
    this.#linesRead = child.lines.length;
    if (child.process.exitCode !== null) {
      throw new Error(`${this.id} ended by itself: ${child.stderr()}`);
    }
  }

  /** SIGKILL, if it runs. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.check();
    await child.kill();
    for (const line of child.lines.slice(this.#linesRead)) {
      if (line.endsWith("}")) this.#take(Said.parse(JSON.parse(line)));
    }
    this.#child = null;
  }

  /**
   * What a new process would find: a log without a gap, of which every entry can be read, and which goes
   * on from a snapshot that can be read and is the state that it says.
   */
  async inspect(): Promise<void> {
    const { directory } = this.#settings;
    const store = await openRaftStore({ directory: join(directory, "raft"), allowVolatile: true });
    const { firstIndex, lastIndex } = store.log;
    for (let index = firstIndex; index <= lastIndex; index++) {
      store.log.entries(index, index, Number.MAX_SAFE_INTEGER);
    }
    const snapshot = store.log.snapshot();
    await store.close();
    if (snapshot !== null) {
      const { data, last } = snapshot;
      const state = State.parse(
        JSON.parse(new TextDecoder().decode(data.subarray(0, data.indexOf(0x0a)))),
      );
      this.#compare(state);
      if (state.index !== last.index || firstIndex > last.index + 1) {
        throw new Error(
          `${this.id}: snapshot of ${state.index} at ${last.index}, log from ${firstIndex}`,
        );
      }
    } else if (firstIndex !== 1 && lastIndex > 0) {
      throw new Error(`${this.id}: a log from ${firstIndex} without a snapshot`);
    }
  }

  story(): string {
    return this.#child?.stderr() ?? "it does not run";
  }

  #take(said: Said): void {
    switch (said.kind) {
      case "event":
        this.#counts.set(said.event, (this.#counts.get(said.event) ?? 0) + 1);
        return;
      case "started":
        return;
      default:
        this.#counts.set(said.kind, (this.#counts.get(said.kind) ?? 0) + 1);
        this.#compare(said);
        this.index = Math.max(this.index, said.index);
    }
  }

  #compare({ index, hash }: State): void {
    const known = this.#hashes.get(index);
    if (known !== undefined && known !== hash) {
      throw new Error(`${this.id} has another state at ${index} than the others`);
    }
    this.#hashes.set(index, hash);
  }
}
