/** Every decoder that bytes or text of somebody else reach. */

import type { Target } from "./target.ts";
import { blockTargets } from "./targets/block.ts";
import { configTargets } from "./targets/config.ts";
import { executionTargets } from "./targets/execution.ts";
import { homeTargets } from "./targets/home.ts";
import { nodeTargets } from "./targets/node.ts";
import { p2pTargets } from "./targets/p2p.ts";
import { rpcTargets } from "./targets/rpc.ts";
import { storageTargets } from "./targets/storage.ts";
import { transportTargets } from "./targets/transport.ts";

export const targets: readonly Target[] = [
  ...transportTargets,
  ...blockTargets,
  ...p2pTargets,
  ...storageTargets,
  ...homeTargets,
  ...configTargets,
  ...rpcTargets,
  ...executionTargets,
  ...nodeTargets,
];

/** Throws TypeError if there is none. */
export function targetNamed(name: string): Target {
  const target = targets.find((candidate) => candidate.name === name);
  if (target === undefined) throw new TypeError(`there is no decoder ${name}; see --list`);
  return target;
}
