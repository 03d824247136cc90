/** Why a devnet cannot start, or what was wrong with one that ran. */

import { CodedError } from "../base/coded-error.ts";

export class DevnetError extends CodedError<
  /** Another devnet runs in that folder. */
  | { readonly code: "DEVNET_LOCKED"; readonly directory: string }
  /** The folder holds what is not ours to remove. */
  | { readonly code: "DEVNET_FOREIGN_DIRECTORY"; readonly directory: string }
  /** The file system said no. */
  | { readonly code: "DEVNET_IO"; readonly directory: string }
  | { readonly code: "DEVNET_NO_PORT"; readonly host: string }
  /** It ran, and something went wrong: a node failed, or the chain is not what it must be. */
  | { readonly code: "DEVNET_FAILED"; readonly problems: readonly string[] }
> {}

/** What was found, said once more at the end. A problem's later lines, such as a log, were shown. */
export function failed(problems: readonly string[]): DevnetError {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return new DevnetError(
    { code: "DEVNET_FAILED", problems },
    [`the devnet ended with ${count}`, ...problems.map((problem) => `  ${headline(problem)}`)].join(
      "\n",
    ),
  );
}

function headline(problem: string): string {
  return problem.split("\n", 1)[0] ?? "";
}
