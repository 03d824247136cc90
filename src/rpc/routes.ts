/** All routes of the server over one node, in the order in which `GET /` lists them. */

import { adminGuard } from "./access.ts";
import { adminRoutes, createTransferLeadership } from "./admin.ts";
import type { Route } from "./answer.ts";
import type { NodeApi } from "./api.ts";
import { blockRoutes } from "./block.ts";
import { clusterRoutes } from "./cluster.ts";
import { listingRoute } from "./endpoints.ts";
import type { RefusalOf } from "./failures.ts";
import { healthRoutes } from "./health.ts";
import { jsonRpcRoutes } from "./json-rpc.ts";
import { createMethods } from "./json-rpc-methods.ts";
import type { RpcLimits, RpcOptions } from "./options.ts";
import { stateRoutes } from "./state.ts";
import { createStatusResult, statusRoutes } from "./status.ts";
import { createSubmit } from "./submission.ts";
import { txRoutes } from "./tx.ts";

export function createRoutes(
  options: RpcOptions,
  limits: RpcLimits,
  refusalOf: RefusalOf,
  api: NodeApi,
): readonly Route[] {
  const { log } = options;
  const submit = createSubmit(api, options.txRate, () => performance.now());
  const statusResult = createStatusResult(api.blocks);
  const guard = adminGuard(options.adminToken);
  const transferLeadership = createTransferLeadership(api, guard, log);
  const methods = createMethods({ api, submit, statusResult, transferLeadership });
  const routes = [
    ...statusRoutes(api, statusResult),
    ...clusterRoutes(api),
    ...healthRoutes(api, log),
    ...blockRoutes(api.blocks),
    ...stateRoutes(api),
    ...txRoutes(submit),
    ...jsonRpcRoutes(methods, { ...limits, refusalOf }),
    ...adminRoutes(transferLeadership),
  ];
  return [listingRoute(routes), ...routes];
}
