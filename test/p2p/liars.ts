/** Peers that answer what no honest peer answers, each in its own way. */

import type { Stream } from "@libp2p/interface";
import { concatBytes } from "../../src/base/bytes.ts";
import { encodeFrame } from "../../src/block/framing.ts";
import {
  decodeHeaderRequest,
  encodeHeaderResponse,
  encodeP2PData,
  encodeP2PSignedHeader,
  type HeaderRequest,
} from "../../src/block/p2p-codec.ts";
import type { StoredBlock } from "../../src/block/types.ts";
import type { P2pHost } from "../../src/p2p/host.ts";
import { exchangeProtocol, type ItemKind } from "../../src/p2p/protocol.ts";
import { readFrames, sendBytes } from "../../src/p2p/stream.ts";
import { blockAt, buildChain, chainId } from "./chain.ts";

/** What is sent for a range: bytes, and whether the stream then ends, is reset or stays open. */
interface Sent {
  readonly bytes: Uint8Array;
  readonly andThen?: "end" | "reset" | "silence";
}

export interface Lie {
  readonly name: string;
  readonly kind: ItemKind;
  /** `blocks` are those that an honest peer would send. */
  readonly answer: (blocks: readonly StoredBlock[]) => Sent;
}

/** Makes `host` answer requests for `lie.kind` with lies about `chain`. */
export function lieTo(host: P2pHost, chain: readonly StoredBlock[], lie: Lie): void {
  host.handle(exchangeProtocol(chainId, lie.kind), async (stream) => {
    const signal = AbortSignal.timeout(30_000);
    const request = await readRequest(stream, signal);
    if (request.kind !== "range") throw new Error("only ranges are asked for");
    const to = Math.min(request.origin + request.amount - 1, chain.length);
    const { bytes, andThen } = lie.answer(chain.slice(request.origin - 1, to));
    await sendBytes(stream, bytes, signal);
    if (andThen === "reset") throw new Error("reset");
    if (andThen !== "silence") await stream.close({ signal });
  });
}

async function readRequest(stream: Stream, signal: AbortSignal): Promise<HeaderRequest> {
  const requests: HeaderRequest[] = [];
  await readFrames(stream, { frameMaxBytes: 1000, signal }, (frame) => {
    requests.push(decodeHeaderRequest(frame));
    return "enough";
  });
  const [request] = requests;
  if (request === undefined) throw new Error("there was no request");
  return request;
}

export function headersOf(blocks: readonly StoredBlock[]): Uint8Array {
  return concatBytes([
    ...blocks.map(({ header }) => ok(encodeP2PSignedHeader({ signed: header, daHeightHint: 0 }))),
  ]);
}

export function dataOf(blocks: readonly StoredBlock[]): Uint8Array {
  return concatBytes(blocks.map(({ data }) => ok(encodeP2PData({ data, daHeightHint: 0 }))));
}

function ok(body: Uint8Array): Uint8Array {
  return encodeFrame(encodeHeaderResponse({ kind: "ok", body }));
}

function alterMiddle(
  blocks: readonly StoredBlock[],
  alter: (block: StoredBlock) => StoredBlock,
): readonly StoredBlock[] {
  const middle = Math.floor(blocks.length / 2);
  return blocks.map((block, at) => (at === middle ? alter(block) : block));
}

const wrong = new Uint8Array(32).fill(0xee);
const foreign = buildChain({ length: 700, chainId: "another-chain" });
const forked = buildChain({ length: 700, txsAt: () => [Uint8Array.of(9)] });

export const lies: readonly Lie[] = [
  {
    name: "an altered header",
    kind: "headers",
    answer: (blocks) => ({
      bytes: headersOf(
        alterMiddle(blocks, (block) => {
          const header = { ...block.header.header, appHash: wrong };
          return { ...block, header: { ...block.header, header } };
        }),
      ),
    }),
  },
  {
    name: "an altered signature",
    kind: "headers",
    answer: (blocks) => ({
      bytes: headersOf(
        alterMiddle(blocks, (block) => ({
          ...block,
          header: { ...block.header, signature: new Uint8Array(64) },
        })),
      ),
    }),
  },
  {
    name: "headers in another order",
    kind: "headers",
    answer: (blocks) => ({ bytes: headersOf(blocks.toReversed()) }),
  },
  {
    name: "headers of a foreign chain",
    kind: "headers",
    answer: (blocks) => ({
      bytes: headersOf(blocks.map(({ height }) => blockAt(foreign, height))),
    }),
  },
  {
    name: "headers of a fork, rightly signed",
    kind: "headers",
    answer: (blocks) => ({ bytes: headersOf(blocks.map(({ height }) => blockAt(forked, height))) }),
  },
  {
    name: "an endless stream",
    kind: "headers",
    answer: (blocks) => ({ bytes: concatBytes(Array(80).fill(headersOf(blocks.slice(0, 1)))) }),
  },
  {
    name: "a message that is too large",
    kind: "headers",
    answer: () => ({ bytes: Uint8Array.of(0x81, 0x80, 0x80, 0x05), andThen: "silence" }),
  },
  {
    name: "headers with much that no hash covers",
    kind: "headers",
    answer: (blocks) => ({
      bytes: concatBytes([
        ...blocks.map(({ header }) => {
          // Field 99 of the message, 20,000 bytes.
          const padding = concatBytes([
            Uint8Array.of(0x9a, 0x06, 0xa0, 0x9c, 0x01),
            new Uint8Array(20_000),
          ]);
          return ok(
            concatBytes([encodeP2PSignedHeader({ signed: header, daHeightHint: 0 }), padding]),
          );
        }),
      ]),
    }),
  },
  {
    name: "garbage",
    kind: "data",
    answer: () => ({ bytes: encodeFrame(Uint8Array.of(0xff, 0xff, 0xff, 0xff)) }),
  },
  {
    name: "data with another transaction",
    kind: "data",
    answer: (blocks) => ({
      bytes: dataOf(
        alterMiddle(blocks, (block) => ({
          ...block,
          data: { ...block.data, txs: [Uint8Array.of(1)] },
        })),
      ),
    }),
  },
  {
    name: "data that names another data before it",
    kind: "data",
    answer: (blocks) => ({
      bytes: dataOf(
        blocks.map((block) => {
          const { metadata } = block.data;
          if (metadata === null) return block;
          return {
            ...block,
            data: { ...block.data, metadata: { ...metadata, lastDataHash: wrong } },
          };
        }),
      ),
    }),
  },
  {
    name: "data of a fork",
    kind: "data",
    answer: (blocks) => ({ bytes: dataOf(blocks.map(({ height }) => blockAt(forked, height))) }),
  },
];

/** What an honest peer may do on a bad day. */
export const weaknesses: readonly Lie[] = [
  {
    name: "resets every request",
    kind: "headers",
    answer: () => ({ bytes: new Uint8Array(0), andThen: "reset" }),
  },
  {
    name: "sends half an answer and falls silent",
    kind: "data",
    answer: (blocks) => ({ bytes: dataOf(blocks).subarray(0, 30), andThen: "silence" }),
  },
  {
    name: "ends the stream within a message",
    kind: "headers",
    answer: (blocks) => ({ bytes: headersOf(blocks).subarray(0, -20) }),
  },
  {
    name: "sends one item at a time",
    kind: "headers",
    answer: (blocks) => ({ bytes: headersOf(blocks.slice(0, 20)) }),
  },
];
