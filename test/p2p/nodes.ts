/** Real hosts on loopback, with ports of the system's choice; all are stopped after the test. */

import { afterEach } from "vitest";
import { concatBytes } from "../../src/base/bytes.ts";
import { seededRandom } from "../../src/base/random.ts";
import { privateKeyFromSeed, rawPublicKey } from "../../src/block/ed25519.ts";
import type { BlockReader } from "../../src/block/types.ts";
import { Backfill } from "../../src/p2p/backfill.ts";
import type { P2pEvent } from "../../src/p2p/event.ts";
import { Exchange } from "../../src/p2p/exchange.ts";
import { P2pHost, type P2pHostOptions } from "../../src/p2p/host.ts";
import type { Progress, ProgressStore } from "../../src/p2p/progress.ts";
import { BlockServer } from "../../src/p2p/server.ts";
import { chainId, signer } from "./chain.ts";

export interface TestNode {
  readonly host: P2pHost;
  readonly events: P2pEvent[];
}

const started: P2pHost[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((host) => host.stop()));
});

/** The key of node `number`, as libp2p has it. */
export function nodeKey(number: number): Uint8Array {
  const seed = new Uint8Array(32).fill(100 + number);
  return concatBytes([seed, rawPublicKey(privateKeyFromSeed(seed))]);
}

export function createNode(number: number, options: Partial<P2pHostOptions> = {}): TestNode {
  const events: P2pEvent[] = [];
  const host = new P2pHost(
    {
      rawPrivateKey: nodeKey(number),
      listenAddress: "/ip4/127.0.0.1/tcp/0",
      peers: [],
      allowedPeers: [],
      blockedPeers: [],
      agent: "ev-sequencer/test",
      ...options,
    },
    { onEvent: (event) => events.push(event), random: seededRandom(number) },
  );
  started.push(host);
  return { host, events };
}

const peerIds = new Map<number, string>();

export function peerIdOf(number: number): string {
  const peerId = peerIds.get(number) ?? createNode(number).host.peerId;
  peerIds.set(number, peerId);
  return peerId;
}

export interface ServingOptions {
  readonly serveBudget?: () => number;
  /** Adds or replaces handlers before the start. */
  readonly corrupt?: (host: P2pHost) => void;
}

/** A started node that serves `blocks` to node 0. */
export async function serving(
  number: number,
  blocks: BlockReader,
  { serveBudget = () => Number.POSITIVE_INFINITY, corrupt }: ServingOptions = {},
): Promise<TestNode> {
  const node = createNode(number, { allowedPeers: [peerIdOf(0)] });
  const onEvent = (event: P2pEvent) => node.events.push(event);
  new BlockServer({ chainId }, { blocks, serveBudget, onEvent }).register(node.host);
  corrupt?.(node.host);
  await node.host.start();
  return node;
}

/** Node 0, connected to `servers`. */
export async function connectedTo(servers: readonly TestNode[]): Promise<TestNode> {
  const node = createNode(0, { peers: servers.flatMap(({ host }) => host.addresses) });
  await node.host.start();
  await until(() => node.host.peers.length === servers.length);
  return node;
}

export class MemoryProgress implements ProgressStore {
  saved: Progress | null = null;
  saves = 0;

  load(): Progress | null {
    return this.saved;
  }

  save(progress: Progress): Promise<void> {
    this.saved = progress;
    this.saves++;
    return Promise.resolve();
  }
}

export function createBackfill(
  { host, events }: TestNode,
  {
    segmentLength = 256,
    timeoutMs = 8000,
    progress = new MemoryProgress(),
    nowMs = () => performance.now(),
  }: {
    segmentLength?: number;
    timeoutMs?: number;
    progress?: ProgressStore;
    nowMs?: () => number;
  } = {},
): Backfill {
  return new Backfill(
    { chainId, proposerAddress: signer.signer.address, segmentLength },
    {
      exchange: new Exchange({ chainId, timeoutMs }, host),
      connected: () => host.peers.map(({ peerId }) => peerId),
      progress,
      onEvent: (event) => events.push(event),
      nowMs,
    },
  );
}

/** Waits for a condition that another node brings about; the test's own limit ends the wait. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** The events of one kind. */
export function of<Kind extends P2pEvent["kind"]>(
  { events }: TestNode,
  kind: Kind,
): readonly Extract<P2pEvent, { kind: Kind }>[] {
  return events.filter((event): event is Extract<P2pEvent, { kind: Kind }> => event.kind === kind);
}
