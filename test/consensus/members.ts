/** Real consensus threads on real files and ports, with what they tell kept for the tests to wait on. */

import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defined } from "../../src/base/assert.ts";
import { Consensus, type ConsensusListener } from "../../src/consensus/consensus.ts";
import type { RoleReport } from "../../src/consensus/driver.ts";
import type { CommittedEntry, ConsensusOptions } from "../../src/consensus/messages.ts";
import { portPicker } from "../../src/devnet/free-ports.ts";

type Options = Omit<ConsensusOptions, "lease">;

/** A member, and everything it has said. */
export class TestMember {
  readonly consensus: Consensus;
  readonly id: string;
  readonly entries: CommittedEntry[] = [];
  readonly roles: RoleReport[] = [];
  readonly failures: Error[] = [];
  /** Whether it applies what is delivered at once. */
  appliesAtOnce = true;
  #waiting: { readonly isMet: () => boolean; readonly resolve: () => void }[] = [];

  constructor(options: Options, listener: Partial<ConsensusListener> = {}) {
    this.id = options.nodeId;
    this.consensus = new Consensus(options, {
      committed: (entries) => {
        this.entries.push(...entries);
        if (this.appliesAtOnce) this.applyAll();
        this.#check();
      },
      begun: () => {},
      role: (report) => {
        this.roles.push(report);
        this.#check();
      },
      failed: (error) => {
        this.failures.push(error);
        this.#check();
      },
      snapshot: () => {},
      snapshotWanted: () => Promise.resolve(null),
      events: () => {},
      transport: () => {},
      measured: () => {},
      peerAsks: () => Promise.resolve({ status: 404, body: new Uint8Array() }),
      ...listener,
    });
  }

  get role(): RoleReport | undefined {
    return this.roles.at(-1);
  }

  /** The term that it leads; fails the test if it does not. */
  get term(): number {
    return defined(this.role, "it has a role").term;
  }

  get commands(): readonly Uint8Array[] {
    return this.entries
      .filter(({ kind }) => kind === "command")
      .map(({ data }) => defined(data, "a command has data"));
  }

  applyAll(): void {
    this.consensus.applied(this.entries.at(-1)?.index ?? 0);
  }

  /** Resolves once `isMet` holds, which is looked at whenever the member says something. */
  until(isMet: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ isMet, resolve });
      this.#check();
    });
  }

  leads(): Promise<void> {
    return this.until(() => this.role?.role === "leader" && this.role.hasJoined);
  }

  #check(): void {
    const met = this.#waiting.filter(({ isMet }) => isMet());
    this.#waiting = this.#waiting.filter((waiting) => !met.includes(waiting));
    for (const { resolve } of met) resolve();
  }
}

/** Members, folders and servers of one test; `clear` ends them all. */
export class TestBench {
  readonly #root = mkdtempSync(join(tmpdir(), "consensus-"));
  readonly #members: TestMember[] = [];
  readonly #servers: Server[] = [];

  folder(name: string): string {
    return join(this.#root, name);
  }

  /** A single sequencer, unless `options` say otherwise. Not started. */
  member(options: Partial<Options> = {}, listener: Partial<ConsensusListener> = {}): TestMember {
    const { nodeId = "a" } = options;
    const member = new TestMember(
      {
        nodeId,
        chainId: "test",
        raftDir: this.folder(nodeId),
        heartbeatTimeoutMs: 250,
        electionTimeoutMs: 500,
        leaderLeaseTimeoutMs: 200,
        sendTimeoutMs: 200,
        blockIntervalMaxMs: 1_000,
        snapshotThreshold: 8192,
        trailingLogs: 10_240,
        snapCount: 2,
        mapSizeBytes: null,
        allowVolatile: true,
        voters: [nodeId],
        knownMembers: [],
        appliedIndex: 0,
        readiness: { isReady: true, appliedHeight: 0, priority: 0 },
        firstHeight: 1,
        network: null,
        ...options,
      },
      listener,
    );
    this.#members.push(member);
    return member;
  }

  /** Three members that know each other, started. */
  async cluster(
    listener: Partial<ConsensusListener> = {},
    timeouts: Partial<Options> = {},
  ): Promise<readonly TestMember[]> {
    const ids = ["a", "b", "c"];
    const nextPort = portPicker();
    const addresses = new Map<string, number>();
    for (const id of ids) addresses.set(id, await nextPort("127.0.0.1"));
    const members = ids.map((id) =>
      this.member(
        {
          ...timeouts,
          nodeId: id,
          voters: ids,
          network: {
            listenHost: "127.0.0.1",
            listenPort: addresses.get(id) ?? 0,
            peers: [...addresses]
              .filter(([peerId]) => peerId !== id)
              .map(([peerId, port]) => [peerId, `127.0.0.1:${port}`] as const),
            advertisedAddress: null,
            allowFrom: [],
            chain: new Uint8Array(8),
          },
        },
        listener,
      ),
    );
    await Promise.all(members.map(({ consensus }) => consensus.start()));
    return members;
  }

  /** The member that leads, once all of them follow it. */
  async leaderOf(members: readonly TestMember[]): Promise<TestMember> {
    const joined = (member: TestMember) => member.until(() => member.role?.hasJoined === true);
    await Promise.all(members.map(joined));
    const leader = members.find(({ role }) => role?.role === "leader");
    return leader ?? this.leaderOf(members);
  }

  /** A port that is in use. */
  async listen(): Promise<Server> {
    const server = createServer();
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  async clear(): Promise<void> {
    await Promise.all(this.#members.map(({ consensus }) => consensus.stop()));
    await Promise.all(this.#servers.map(closed));
    rmSync(this.#root, { recursive: true, force: true });
  }
}

export function portOf(server: Server | undefined): number {
  const address = server?.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on a port");
  return address.port;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (server.listening) server.close(() => resolve());
    else resolve();
  });
}
