/** What clients ask over HTTP and what becomes of their transactions, as metrics. */

import type { Metrics } from "../observability/metrics.ts";
import type { RpcObserver } from "../rpc/options.ts";

export function rpcMetrics({ rpc, transactions }: Metrics): RpcObserver {
  for (const reason of refusalReasons) transactions.refused.inc({ reason }, 0);
  return {
    answered: ({ route, status, seconds }) => {
      rpc.requests.inc({ route, status: `${Math.floor(status / 100)}xx` });
      rpc.requestDuration.observe({ route }, seconds);
    },
    txCommitted: (seconds) => transactions.commitDuration.observe(seconds),
    txRefused: (reason) => transactions.refused.inc({ reason }),
  };
}

/** Known from the start, or Prometheus would miss the first refusal. */
const refusalReasons = [
  "queue_full",
  "rate_limited",
  "transaction_too_large",
  "invalid_transaction",
  "unavailable",
] as const;
