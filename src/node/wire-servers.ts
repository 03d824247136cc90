/** What operators and clients talk to: HTTP, and the metrics' own port. */

import { parseSocketAddress } from "../config/address.ts";
import type { NodeConfig } from "../config/schema.ts";
import { MetricsServer } from "../observability/metrics-server.ts";
import { createRpcServer, type RpcServer } from "../rpc/server.ts";
import { StartingServer } from "../rpc/starting-server.ts";
import { asError, type NodeContext } from "./context.ts";
import type { NodeView } from "./node-view.ts";
import { rpcMetrics } from "./rpc-metrics.ts";

const jsonRpcFrameBytes = 1024;

/** For as long as `createRpc`'s cannot answer. */
export function createStartingServer({ options, log }: NodeContext): StartingServer {
  const reason = "it takes part in nothing yet, and its log says what it waits for";
  return new StartingServer({ ...rpcAddressOf(options.config), reason, log: log.child("rpc") });
}

function rpcAddressOf({ rpc }: NodeConfig): { readonly host: string; readonly port: number } {
  const address = parseSocketAddress(rpc.address);
  return address.ok ? address.value : { host: "0.0.0.0", port: 26657 };
}

export function createRpc(context: NodeContext, view: NodeView): RpcServer {
  const { config, adminToken } = context.options;
  const { host, port } = rpcAddressOf(config);
  const perSecond = config.rpc.txRateLimit;
  const { waitForLeaderTimeoutMs, txCommitTimeoutMs } = config.cluster;
  return createRpcServer(
    {
      host,
      port,
      adminToken,
      txRate: perSecond === 0 ? null : { perSecond, burst: perSecond },
      limits: {
        // In hexadecimal it is twice as long, and there is something around it.
        bodyMaxBytes: 2 * config.rpc.txMaxBytes + jsonRpcFrameBytes,
        connectionTimeoutMs: Math.ceil(2 * (waitForLeaderTimeoutMs + txCommitTimeoutMs)) + 60_000,
      },
      log: context.log.child("rpc"),
      observer: rpcMetrics(context.metrics),
      onFailure: (error) => context.fail(asError(error)),
    },
    view,
  );
}

export function createMetricsServer({ options, metrics, log }: NodeContext): MetricsServer {
  const { instrumentation } = options.config;
  const address = parseSocketAddress(instrumentation.prometheusListenAddr);
  const { host, port } = address.ok ? address.value : { host: "", port: 26660 };
  return new MetricsServer(
    { host, port, maxScrapes: instrumentation.maxOpenConnections },
    { metrics, log: log.child("metrics") },
  );
}
