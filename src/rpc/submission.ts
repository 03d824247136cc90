/** The one way in for transactions, whichever path they come by: the rate limit, then the node. */

import type { SubmitOutcome, SubmitRequest } from "../block/submit.ts";
import type { TxLocation } from "../block/types.ts";
import type { NodeApi } from "./api.ts";
import { hex } from "./encoding.ts";
import { Refusal, sentence } from "./errors.ts";
import type { RpcObserver, TxRate } from "./options.ts";
import { TokenBucket } from "./token-bucket.ts";

export type Submitted =
  | { readonly kind: "committed"; readonly txId: Uint8Array; readonly location: TxLocation }
  | { readonly kind: "accepted"; readonly txId: Uint8Array };

/** Resolves once the transaction is where `wait` wants it; throws a Refusal otherwise. */
export type Submit = (request: SubmitRequest) => Promise<Submitted>;

/** How soon to come back when nothing better is known. */
export const retryAfterMs = 1000;

export function createSubmit(
  api: NodeApi,
  options: { readonly rate: TxRate | null; readonly observer: RpcObserver | null },
  nowMs: () => number,
): Submit {
  const { rate, observer } = options;
  const bucket = rate === null ? null : new TokenBucket(rate, nowMs);
  return async (request) => {
    const arrivedMs = nowMs();
    try {
      const waitMs = bucket?.take() ?? 0;
      if (waitMs > 0) throw rateLimited(waitMs);
      const outcome = submitted(await api.submit(request), request);
      if (outcome.kind === "committed") observer?.txCommitted((nowMs() - arrivedMs) / 1000);
      return outcome;
    } catch (error) {
      if (error instanceof Refusal) observer?.txRefused(error.code.toLowerCase());
      throw error;
    }
  };
}

function rateLimited(waitMs: number): Refusal {
  return new Refusal(
    { code: "RATE_LIMITED", retry_after_ms: waitMs },
    "More transactions arrive than this node is configured to take. Nothing was kept; send it again later.",
  );
}

function submitted(outcome: SubmitOutcome, request: SubmitRequest): Submitted {
  switch (outcome.kind) {
    case "committed":
    case "accepted":
      return outcome;
    case "queueFull":
      throw new Refusal(
        { code: "QUEUE_FULL", retry_after_ms: outcome.retryAfterMs },
        "The transaction queue is full. Nothing was kept; send it again later.",
      );
    case "tooLarge":
      throw new Refusal(
        { code: "TRANSACTION_TOO_LARGE", max_bytes: outcome.maxBytes },
        `The transaction has ${request.tx.length} bytes; at most ${outcome.maxBytes} are taken. Split it.`,
      );
    case "invalid":
      throw new Refusal(
        { code: "INVALID_TRANSACTION" },
        sentence(outcome.reason) + jsonHint(request.tx),
      );
    case "unavailable":
      throw new Refusal(
        {
          code: "UNAVAILABLE",
          retry_after_ms: retryAfterMs,
          tx_id: hex(outcome.txId),
          may_commit: outcome.mayCommit,
        },
        `${sentence(outcome.reason)} ${whatNow(outcome)}`,
      );
  }
}

function whatNow({
  mayCommit,
  executesOnce,
}: {
  readonly mayCommit: boolean;
  readonly executesOnce: boolean;
}): string {
  if (!mayCommit) return "The transaction was not kept; send it again.";
  return executesOnce
    ? "The transaction may still be committed; send the same once more, with its Idempotency-Key if it " +
        "has one, to learn its block without executing it twice."
    : "The transaction may still be committed, and a repeat may execute it a second time: " +
        "read the state before sending it again, and send an Idempotency-Key in future.";
}

/** curl's `-d` sends JSON under a form's content type, and then it counts as raw bytes. */
function jsonHint(tx: Uint8Array): string {
  const looksLikeJson = tx[0] === "{".charCodeAt(0);
  return looksLikeJson ? " If it is meant as JSON, send `Content-Type: application/json`." : "";
}
