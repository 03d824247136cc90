/** hashicorp/raft on BoltDB, as ev-node wires it: the stack that this project replaces. */

import { buildMember, hasGo } from "./go-program.ts";
import type { Peer } from "./peer.ts";

export const hashicorp: Peer = {
  name: "hashicorp",
  async prepare(workDir) {
    if (!(await hasGo())) return "there is no Go to build hashicorp/raft with";
    const launch = await buildMember("hashicorp", workDir);
    return { label: "hashicorp/raft 1.7.3 + BoltDB", launch };
  },
};
