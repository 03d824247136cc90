/** What a committed block and its client have to agree on; none of it can be mended by asking again. */

import { clientDiverged, rejected, unrunnable } from "../errors.ts";
import type { BlockToExecute } from "../executor.ts";
import { type ClientBlock, formatData } from "./answers.ts";
import { secondsOf } from "./block-maker.ts";
import type { Judgement, Submission } from "./engine-api.ts";
import { decodePayload } from "./payload-block.ts";

/** Throws if the client holds another state than the block runs on. */
export function checkState({ height, prevAppHash }: BlockToExecute, parent: ClientBlock): void {
  const committedHash = formatData(prevAppHash);
  if (parent.stateRoot === committedHash) return;
  const clientHash = parent.stateRoot;
  throw clientDiverged({ height: height - 1, what: "state", clientHash, committedHash });
}

/** The payload in a committed block; throws if it is not of that block. */
export function payloadOf(block: BlockToExecute): Submission {
  const decoded = decodePayload(block.txs);
  if (decoded.kind === "malformed") throw unrunnable(block.height, decoded.reason);
  const problem = mismatchOf(decoded.submission, block);
  if (problem !== null) throw unrunnable(block.height, problem);
  return decoded.submission;
}

/** What of the payload contradicts the header; null if nothing does. */
function mismatchOf({ payload }: Submission, block: BlockToExecute): string | null {
  const { height, timestampNs } = block;
  const { blockNumber, timestamp } = payload;
  if (Number(blockNumber) !== height) return `the payload has number ${Number(blockNumber)}`;
  const seconds = secondsOf(timestampNs);
  if (Number(timestamp) === seconds) return null;
  return `the payload has time ${Number(timestamp)}, the header ${seconds}`;
}

/** Throws if the client does not take a committed block: then two clients disagree. */
export function checkValid(height: number, committedHash: string, judgement: Judgement): void {
  if (judgement.kind === "valid") return;
  const { latestValidHash, reason } = judgement;
  throw rejected({ height, committedHash, latestValidHash, reason });
}
