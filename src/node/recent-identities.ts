/**
 * The identities of recent transactions, from another member: blocks come from peers without them, and a
 * node that does not know them would judge a repetition otherwise than the rest (P7). Where blocks are
 * missing below a snapshot of ours, that has them; below one that a leader in Go has sent, and below the first
 * entry of a log, they are asked for, a page at a time.
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

/** The page that `body` asks for; null if this node does not have the block up to which it is asked. */
export async function pageOfTxIds(body: Uint8Array, store: SnapshotStore): Promise<Page | null> {
  const parsed = requestSchema.safeParse(parse(body));
  if (!parsed.success || store.head.height < parsed.data.to) return null;
  const { from, to } = parsed.data;
  const blocks: Page["blocks"] = [];
  let count = 0;
  await store.flushed();
  for await (const { height, txIds } of store.recentTxIds(to, from)) {
    if (count >= idsPerPage) return { next: height, blocks };
    blocks.push({ height, txIds: txIds.map(toHex) });
    count += txIds.length;
  }
  return { next: null, blocks };
}

/**
 * All identities within the window below `height`, this height included. Asks until a member has them, or
 * `signal` aborts. null if nobody can: all others are other programs.
 */
export async function fetchTxIds(
  height: Height,
  ask: (peerId: string, body: Uint8Array, timeoutMs: number) => Promise<PeerReply>,
  peerIds: readonly string[],
  signal: AbortSignal,
): Promise<readonly TxIdsAt[] | null> {
  const aborted = new Promise<null>((resolve) => {
    signal.addEventListener("abort", () => resolve(null), { once: true });
  });
  while (!signal.aborted) {
    let foreignCount = 0;
    for (const peerId of peerIds) {
      const asking = pagesOf(height, (body) => ask(peerId, body, askTimeoutMs));
      // A member that does not answer must not hold up a stop.
      const found = await Promise.race([asking, aborted]);
      if (found === null || signal.aborted) return [];
      if (found.kind === "all") return found.identities;
      if (found.kind === "foreign") foreignCount++;
    }
    if (foreignCount === peerIds.length) return null;
    await sleep(askAgainMs, signal);
  }
  return [];
}

type Found =
  | { readonly kind: "all"; readonly identities: readonly TxIdsAt[] }
  /** It does not answer, or lacks blocks itself. */
  | { readonly kind: "notNow" }
  | { readonly kind: "foreign" };

async function pagesOf(to: Height, ask: (body: Uint8Array) => Promise<PeerReply>): Promise<Found> {
  const identities: TxIdsAt[] = [];
  for (let from: Height | null = 0; from !== null; ) {
    const reply = await ask(new TextEncoder().encode(JSON.stringify({ from, to })));
    if (reply.kind === "failed")
      return { kind: reply.failure === "foreign" ? "foreign" : "notNow" };
    if (reply.status !== 200) return { kind: "notNow" };
    const page = decodePage(reply.body);
    if (page === null || (page.next !== null && page.next <= from)) return { kind: "notNow" };
    const { next, blocks }: DecodedPage = page;
    for (const block of blocks) identities.push(block);
    from = next;
  }
  return { kind: "all", identities };
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
