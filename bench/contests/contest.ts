/** Clusters of ours and of our peers that are given the same work in turn, on one network. */

import type { Aims } from "../aims.ts";
import { BenchCluster, type ClusterOptions } from "../cluster.ts";
import { compare } from "../comparison.ts";
import type { Unit } from "../figure.ts";
import type { Launch } from "../member/process.ts";
import type { PeerName } from "../peers/peer.ts";
import type { Effort, NetworkName, SectionContext } from "../section.ts";

export interface Entrant {
  readonly name: "ours" | PeerName;
  readonly launch: Launch;
}

export interface Row {
  readonly work: string;
  readonly unit: Unit;
  readonly aims: Aims;
}

/** Does the work, and reports its rows. */
export type MeasureContest = (contest: Contest) => Promise<void>;

const slowOneWayMs = 10;

export function oneWayMsOf(network: NetworkName): number {
  return network === "slow" ? slowOneWayMs : 0;
}

export class Contest {
  readonly entrants: readonly Entrant[];
  readonly #context: SectionContext;
  readonly #network: NetworkName;

  constructor(context: SectionContext, network: NetworkName, entrants: readonly Entrant[]) {
    this.#context = context;
    this.#network = network;
    this.entrants = entrants;
  }

  get effort(): Effort {
    return this.#context.effort;
  }

  /** A cluster for each entrant, in their order, all stopped when the work ends. */
  async withClusters<T>(
    options: Pick<ClusterOptions, "timeouts">,
    work: (clusters: readonly BenchCluster[]) => Promise<T>,
  ): Promise<T> {
    const clusters: BenchCluster[] = [];
    try {
      for (const entrant of this.entrants) clusters.push(await this.#start(entrant, options));
      return await work(clusters);
    } finally {
      await Promise.all(clusters.map((cluster) => cluster.stop()));
    }
  }

  /** A cluster for this entrant alone. */
  async withCluster<T>(
    entrant: Entrant,
    options: Pick<ClusterOptions, "timeouts">,
    work: (cluster: BenchCluster) => Promise<T>,
  ): Promise<T> {
    const cluster = await this.#start(entrant, options);
    try {
      return await work(cluster);
    } finally {
      await cluster.stop();
    }
  }

  /** `samples` are of the entrants, in their order. */
  report({ work, unit, aims }: Row, samples: readonly (readonly number[])[]): void {
    const byName = new Map(this.entrants.map(({ name }, at) => [name, samples[at] ?? []]));
    const network = this.#network;
    this.#context.compared(compare({ network, work, unit }, byName, aims[network]));
  }

  #start({ launch }: Entrant, options: Pick<ClusterOptions, "timeouts">): Promise<BenchCluster> {
    const { workDir } = this.#context;
    return BenchCluster.start({ workDir, launch, oneWayMs: oneWayMsOf(this.#network), ...options });
  }
}
