/** What can be wrong with bytes that claim to be a block, or part of one. */

import { CodedError } from "../base/coded-error.ts";
import type { Height } from "./types.ts";

export class BlockError extends CodedError<
  /** Not protobuf, or cut short. */
  | { readonly code: "BLOCK_MALFORMED"; readonly what: string }
  /** A field that must be there is missing, or holds what it cannot. */
  | { readonly code: "BLOCK_FIELD"; readonly what: string; readonly field: string }
  /** Larger or more than any block has. */
  | {
      readonly code: "BLOCK_LIMIT";
      readonly what: string;
      readonly field: string;
      readonly limit: number;
      readonly got: number;
    }
  /** It was stored, and cannot be read any more. */
  | { readonly code: "BLOCK_DAMAGED"; readonly height: Height }
> {}

const advice =
  "It was damaged on the way, or its sender runs another version: compare the versions of both nodes";

export function malformed(what: string, cause?: unknown): BlockError {
  const options = cause === undefined ? undefined : { cause };
  return new BlockError(
    { code: "BLOCK_MALFORMED", what },
    `cannot decode a ${what}. ${advice}`,
    options,
  );
}

export function badField(what: string, field: string, problem: string): BlockError {
  const message = `cannot decode a ${what}: ${field} ${problem}. ${advice}`;
  return new BlockError({ code: "BLOCK_FIELD", what, field }, message);
}

export function overLimit(
  what: string,
  field: string,
  { limit, got }: { readonly limit: number; readonly got: number },
): BlockError {
  const message = `refused a ${what}: ${field} is ${got}, at most ${limit} is allowed. ${advice}`;
  return new BlockError({ code: "BLOCK_LIMIT", what, field, limit, got }, message);
}
