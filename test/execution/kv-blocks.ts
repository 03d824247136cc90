/** The blocks of the executor's tests: a function of the height, so that every process makes the same. */

import type { BlockToExecute } from "../../src/execution/executor.ts";

export const genesis = { chainId: "kv-test", initialHeight: 1, genesisTimeNs: 1n };

/** Ten transactions: new keys, keys that are written again and again, one twice in the block, a malformed one. */
export function txsAt(height: number): Uint8Array[] {
  const texts = [
    `new-${height}=1`,
    `hot=${height}`,
    `hot=${height}!`,
    `every-${height % 7}=${height}`,
    `empty-${height % 3}=`,
    "malformed",
    ...[1, 2, 3, 4].map((at) => `more-${(height * at) % 50}=${height}=${at}`),
  ];
  return texts.map((text) => new TextEncoder().encode(text));
}

export function blockAt(height: number, prevAppHash: Uint8Array): BlockToExecute {
  return { height, timestampNs: BigInt(height), txs: txsAt(height), prevAppHash };
}

/** The state after `height`, as a reader of the transactions would say. */
export function stateAt(height: number): Map<string, string> {
  const state = new Map<string, string>();
  for (let at = 1; at <= height; at++) {
    for (const tx of txsAt(at)) {
      const text = new TextDecoder().decode(tx);
      const equals = text.indexOf("=");
      if (equals > 0) state.set(text.slice(0, equals), text.slice(equals + 1));
    }
  }
  return state;
}
