/** The etcd that is installed here, and its own client in Go. */

import { buildMember, hasGo, outputOf } from "./go-program.ts";
import type { Peer } from "./peer.ts";

export const etcd: Peer = {
  name: "etcd",
  async prepare(workDir) {
    const version = await etcdVersion();
    if (version === null) return "etcd is not installed (on Debian: apt-get install etcd-server)";
    if (!(await hasGo())) return "there is no Go to build etcd's client with";
    return { label: `etcd ${version}`, launch: await buildMember("etcd", workDir) };
  },
};

/** null where it is not installed. */
export async function etcdVersion(): Promise<string | null> {
  const said = await outputOf("etcd", ["--version"]);
  return /^etcd Version: (\S+)/.exec(said ?? "")?.[1] ?? null;
}
