/**
 * The identities of recent transactions, from another member: blocks come from peers without them, and a
 * node that does not know them would judge a repetition otherwise than the rest (P7). Where blocks are
 * missing below a snapshot of ours, that has them; below one that a leader in Go has sent, and below the first
 * entry of a log, they are asked for, a page at a time.
 *
 * Whom it asks, and for how long:
 *
 *   a member of ours that has the blocks   has them all: its word is enough
 *   ... that has yet to catch up           may learn of them from its log: it is waited for
 *   ... that asks for them itself          knows no more than its pages, now or later
 *   ... that does not answer               may have them: it is waited for, and the log says so
 *   another program                        has none
 *
 * Where all others are of the third kind and the last, nobody has the rest. Each of ours goes on with the union of what
 * they have, which is the same on all: so they judge alike. An ev-node that is down looks like a member of ours.
 */

import { z } from "zod";
import { fromHex, toHex } from "../base/bytes.ts";
import { sleep } from "../base/task-group.ts";
import { txIdMaxBytes } from "../block/limits.ts";
import type { TxIdsAt } from "../block/snapshot-codec.ts";
import type { Height } from "../block/types.ts";
import type { PeerReply } from "../sequencer/ports.ts";
import type { SnapshotStore } from "../sequencer/snapshot.ts";

/** A page ends behind the block with which it has so many. */
const idsPerPage = 4_096;

const askTimeoutMs = 5_000;
const askAgainMs = 1_000;
const tellEveryMs = 10_000;

const height = z.int().nonnegative();

const requestSchema = z.object({ from: height, to: height });

/** In hexadecimal. What is no identity is no key either, and would end the block store that is given it. */
const txId = z.string().transform((text, context) => {
  const bytes = fromHex(text);
  if (bytes !== null && bytes.length > 0 && bytes.length <= txIdMaxBytes) return bytes;
  context.addIssue("is no identity");
  return z.NEVER;
});

const pageSchema = z.object({
  /** Where the next page begins; null: this is the last. */
  next: height.nullable(),
  blocks: z.array(z.object({ height, txIds: z.array(txId) })),
});

type Page = z.input<typeof pageSchema>;
type DecodedPage = z.output<typeof pageSchema>;

export interface PageAnswer {
  /** As HTTP has it; a member of an older version takes no other page than a whole one. */
  readonly status: typeof pageStatus.whole | typeof pageStatus.partial;
  readonly page: Page;
}

const pageStatus = {
  whole: 200,
  /** Of blocks up to this node's head, which is below the height it is asked for: it can never know more of them. */
  partial: 206,
} as const;

/**
 * The page that `body` asks for; null while this node does not have the block up to which it is asked. But one that
 * itself asks for the identities of that block (`awaitedHeight`) answers with what it has.
 */
export async function pageOfTxIds(
  body: Uint8Array,
  store: SnapshotStore,
  awaitedHeight: Height | null,
): Promise<PageAnswer | null> {
  const parsed = requestSchema.safeParse(parse(body));
  if (!parsed.success) return null;
  const { from, to } = parsed.data;
  const head = store.head.height;
  if (head < to && (awaitedHeight === null || awaitedHeight < to)) return null;
  const status = head < to ? pageStatus.partial : pageStatus.whole;
  const blocks: Page["blocks"] = [];
  let count = 0;
  await store.flushed();
  for await (const { height, txIds } of store.recentTxIds(Math.min(to, head), from)) {
    if (count >= idsPerPage) return { status, page: { next: height, blocks } };
    blocks.push({ height, txIds: txIds.map(toHex) });
    count += txIds.length;
  }
  return { status, page: { next: null, blocks } };
}

export interface TxIdFetchDependencies {
  readonly ask: (peerId: string, body: Uint8Array, timeoutMs: number) => Promise<PeerReply>;
  /** All other members. */
  readonly peerIds: readonly string[];
  /** These may have them, and do not answer, or have yet to catch up: at first, and every 10 s. */
  readonly waitingFor: (height: Height, peerIds: readonly string[]) => void;
}

export interface FoundTxIds {
  readonly identities: readonly TxIdsAt[];
  /** No member has the others: all are other programs, or lack the same blocks. */
  readonly areSomeLost: boolean;
}

const ended: FoundTxIds = { identities: [], areSomeLost: false };

export class TxIdFetch {
  readonly #dependencies: TxIdFetchDependencies;
  #awaitedHeight: Height | null = null;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(dependencies: TxIdFetchDependencies) {
    this.#dependencies = dependencies;
  }

  /** Up to here this node asks the others: of blocks above its head, and not above this one, it knows none by itself. */
  get awaitedHeight(): Height | null {
    return this.#awaitedHeight;
  }

  /** All identities within the window below `height`, this height included. Asks until it is known who has them, or `signal` aborts. */
  async run(height: Height, signal: AbortSignal): Promise<FoundTxIds> {
    const { waitingFor } = this.#dependencies;
    const aborted = new Promise<null>((resolve) => {
      signal.addEventListener("abort", () => resolve(null), { once: true });
    });
    this.#awaitedHeight = height;
    try {
      while (!signal.aborted) {
        const found = await this.#round(height, signal, aborted);
        if (found.kind === "found") return found;
        if (performance.now() - this.#toldAtMs >= tellEveryMs && !signal.aborted) {
          this.#toldAtMs = performance.now();
          waitingFor(height, found.absent);
        }
        await sleep(askAgainMs, signal);
      }
      return ended;
    } finally {
      this.#awaitedHeight = null;
    }
  }

  /** Asks each member once. */
  async #round(height: Height, signal: AbortSignal, aborted: Promise<null>): Promise<Round> {
    const { ask, peerIds } = this.#dependencies;
    const partial: string[] = [];
    const absent: string[] = [];
    // A member that does not answer must not hold up a stop.
    const pagesFrom = (peerId: string, from: Height) =>
      Promise.race([
        pagesOf({ from, to: height }, (body) => ask(peerId, body, askTimeoutMs)),
        aborted,
      ]);
    for (const peerId of peerIds) {
      // The last page alone tells what it has: what some know in part is of use only when nobody else is waited for.
      const last = await pagesFrom(peerId, height);
      const found = last?.kind === "all" ? await pagesFrom(peerId, 0) : last;
      if (found === null || signal.aborted) return { kind: "found", ...ended };
      if (found.kind === "all") return { ...found, kind: "found", areSomeLost: false };
      if (found.kind === "partial") partial.push(peerId);
      if (found.kind === "notNow") absent.push(peerId);
    }
    if (absent.length > 0) return { kind: "notYet", absent };
    const known: TxIdsAt[][] = [];
    for (const peerId of partial) {
      const found = await pagesFrom(peerId, 0);
      if (found === null || signal.aborted) return { kind: "found", ...ended };
      if (found.kind === "all") return { ...found, kind: "found", areSomeLost: false };
      if (found.kind !== "partial") return { kind: "notYet", absent: [peerId] };
      known.push(found.identities);
    }
    return { kind: "found", identities: unionOf(known), areSomeLost: true };
  }
}

type Round =
  | ({ readonly kind: "found" } & FoundTxIds)
  | { readonly kind: "notYet"; readonly absent: readonly string[] };

type Found =
  /** `partial`: the member asks for the others itself. */
  | { readonly kind: "all" | "partial"; readonly identities: TxIdsAt[] }
  /** It does not answer, or has yet to catch up. */
  | { readonly kind: "notNow" }
  | { readonly kind: "foreign" };

async function pagesOf(
  range: { readonly from: Height; readonly to: Height },
  ask: (body: Uint8Array) => Promise<PeerReply>,
): Promise<Found> {
  const identities: TxIdsAt[] = [];
  const { to } = range;
  for (let { from } = range; ; ) {
    const reply = await ask(new TextEncoder().encode(JSON.stringify({ from, to })));
    if (reply.kind === "failed")
      return { kind: reply.failure === "foreign" ? "foreign" : "notNow" };
    const { status } = reply;
    if (status !== pageStatus.whole && status !== pageStatus.partial) return { kind: "notNow" };
    const page = decodePage(reply.body);
    if (page === null || (page.next !== null && page.next <= from)) return { kind: "notNow" };
    const { next, blocks }: DecodedPage = page;
    for (const block of blocks) identities.push(block);
    if (next === null) return { kind: status === pageStatus.whole ? "all" : "partial", identities };
    from = next;
  }
}

/** Who knows a block's transactions knows all of them. */
function unionOf(pages: readonly (readonly TxIdsAt[])[]): TxIdsAt[] {
  const byHeight = new Map<Height, TxIdsAt>();
  for (const block of pages.flat()) {
    const known = byHeight.get(block.height)?.txIds.length ?? 0;
    if (block.txIds.length > known) byHeight.set(block.height, block);
  }
  return [...byHeight.values()];
}

/** null if it is none that a block store could take. */
export function decodePage(body: Uint8Array): DecodedPage | null {
  return pageSchema.safeParse(parse(body)).data ?? null;
}

/** null for what is no JSON, as from a member of another version. */
function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
