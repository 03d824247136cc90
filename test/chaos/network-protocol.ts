/** What a run says to the process of its network. */

import type { Endpoint } from "./links.ts";

export interface NetworkOptions {
  readonly ids: readonly string[];
  readonly rttMs: number;
  /** Between the last node and all others. */
  readonly farRttMs: number;
  readonly seed: number;
}

/** Carried out in the order in which they come. Those with a number are answered. */
export type ToNetwork =
  | {
      readonly kind: "connect";
      readonly requestId: number;
      readonly from: string;
      readonly to: Endpoint;
    }
  | { readonly kind: "nodeStarted"; readonly requestId: number; readonly id: string }
  | { readonly kind: "nodeEnded"; readonly id: string }
  | { readonly kind: "cut"; readonly from: string; readonly to: string }
  | {
      readonly kind: "slowDown";
      readonly id: string;
      readonly extraMs: { readonly low: number; readonly high: number };
    }
  | { readonly kind: "narrow"; readonly id: string; readonly bytesPerMs: number }
  | { readonly kind: "reset"; readonly id: string }
  | { readonly kind: "mend" };

export interface FromNetwork {
  readonly requestId: number;
  /** Where the way that was asked for is dialled. */
  readonly port: number | null;
}
