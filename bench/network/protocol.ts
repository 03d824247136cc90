/** What the benchmark says to the process of its slow network. */

export interface NetworkOptions {
  readonly host: string;
  readonly oneWayMs: number;
  readonly ways: readonly NetworkWay[];
}

export interface NetworkWay {
  /** Where the process at its end listens. */
  readonly to: number;
  /** Where it is dialled. */
  readonly via: number;
}

/** Of a way, named by where it leads. */
export type ToNetwork =
  | { readonly kind: "open"; readonly to: number }
  | { readonly kind: "close"; readonly to: number };
