/**
 * What this project wants to reach beside its peers. A ratio where the machine decides the rest; milliseconds where a
 * timeout, the network or a start does.
 */

import type { PeerName } from "./peers/peer.ts";

export type Aim =
  /** Ours to theirs, of the medians: at most so much, or at least for a rate. */
  | { readonly kind: "ratio"; readonly to: PeerName; readonly p50: number }
  | {
      readonly kind: "absolute";
      readonly p50: number;
      readonly p95?: number;
      readonly max?: number;
    };

export interface Aims {
  readonly loopback: Aim | null;
  /** With 10 ms one way between the members. */
  readonly slow: Aim | null;
}

const ratio = (p50: number, to: PeerName): Aim => ({ kind: "ratio", to, p50 });
const absolute = (p50: number, rest: { p95?: number; max?: number } = {}): Aim => ({
  kind: "absolute",
  p50,
  ...rest,
});

export const aims = {
  smallCommit: { loopback: ratio(0.85, "etcd"), slow: absolute(21) },
  largerCommit: { loopback: ratio(0.7, "hashicorp"), slow: null },
  block: { loopback: ratio(0.25, "hashicorp"), slow: absolute(21) },
  throughput: { loopback: ratio(1.5, "hashicorp"), slow: null },
  smallThroughput256: { loopback: ratio(1.5, "hashicorp"), slow: absolute(9_300) },
  kill: { loopback: absolute(30, { p95: 60, max: 120 }), slow: absolute(120, { p95: 200 }) },
  handOver: { loopback: absolute(8, { p95: 15 }), slow: absolute(60) },
  catchUp: { loopback: ratio(1, "hashicorp"), slow: null },
  coldStart: { loopback: absolute(600), slow: null },
  memory: { loopback: absolute(120), slow: null },
  processor: { loopback: absolute(1.3), slow: null },
} satisfies Record<string, Aims>;

/** "0.85 x etcd", "30 / 60 / 120 ms". */
export function aimText(aim: Aim, unit: string): string {
  if (aim.kind === "ratio") return `${aim.p50} x ${aim.to}`;
  const values = [aim.p50, aim.p95, aim.max].filter((value) => value !== undefined);
  return `${values.map((value) => value.toLocaleString("en")).join(" / ")} ${unit}`;
}
