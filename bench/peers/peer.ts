/** What the benchmark compares with: a program that serves as a member of a cluster, as ours does. */

import type { Launch } from "../member/process.ts";

export interface Peer {
  readonly name: "hashicorp" | "etcd";
  /** Or a sentence that says what is not here. */
  prepare(workDir: string): Promise<PreparedPeer | string>;
}

export interface PreparedPeer {
  /** With its version. */
  readonly label: string;
  /** Starts a member. */
  readonly launch: Launch;
}

export type PeerName = Peer["name"];
