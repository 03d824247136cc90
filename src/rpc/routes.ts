/** All routes of the server over one node, in the order in which `GET /` lists them. */

import { adminGuard } from "./access.ts";
import { adminRoutes, createTransferLeadership } from "./admin.ts";
import type { ClientSignal, Route } from "./answer.ts";
import type { NodeApi } from "./api.ts";
import { blockRoutes } from "./block.ts";
import { clusterRoutes } from "./cluster.ts";
import { listingRoute } from "./endpoints.ts";
import type { RefusalOf } from "./failures.ts";
import { healthRoutes } from "./health.ts";
import { jsonRpcRoutes } from "./json-rpc.ts";
import { createMethods } from "./json-rpc-methods.ts";
import { netInfoRoutes } from "./net-info.ts";
import type { RpcLimits, RpcOptions } from "./options.ts";
import { stateRoutes } from "./state.ts";
import { createStatusResult, statusRoutes } from "./status.ts";
import { createSubmit } from "./submission.ts";
import { txRoutes } from "./tx.ts";
import { Wallets } from "./wallets.ts";

interface RouteDependencies {
  readonly api: NodeApi;
  readonly limits: RpcLimits;
  readonly refusalOf: RefusalOf;
  readonly clientSignal: ClientSignal;
}

export function createRoutes(
  options: RpcOptions,
  { api, limits, refusalOf, clientSignal }: RouteDependencies,
): readonly Route[] {
  const { log } = options;
  const submit = createSubmit(
    api,
    { rate: options.txRate, observer: options.observer ?? null },
    () => performance.now(),
  );
  const statusResult = createStatusResult(api.blocks);
  const guard = adminGuard(options.adminToken);
  const transferLeadership = createTransferLeadership(api, guard, log);
  const methods = createMethods({ api, submit, clientSignal, statusResult, transferLeadership });
  const { ethereum } = api;
  const wallets =
    ethereum === null ? null : new Wallets({ ethereum, submit, clientSignal, refusalOf, log });
  const routes = [
    ...statusRoutes(api, statusResult),
    ...clusterRoutes(api),
    ...netInfoRoutes(api),
    ...healthRoutes(api, log),
    ...blockRoutes(api.blocks),
    ...stateRoutes(api, clientSignal),
    ...txRoutes(submit, clientSignal),
    ...jsonRpcRoutes(methods, { ...limits, wallets, refusalOf }),
    ...adminRoutes(transferLeadership),
  ];
  return [listingRoute(routes), ...routes];
}
