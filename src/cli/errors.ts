/** Mistakes on the command line. */

import { CodedError } from "../base/coded-error.ts";

export class CliError extends CodedError<
  /** The arguments make no sense: exit code 64. */
  | { readonly code: "CLI_USAGE" }
  /** The nodes asked do not answer, or cannot do what was asked of them: exit code 69. */
  | { readonly code: "CLI_UNAVAILABLE" }
  /** A node does not take this caller for its operator: exit code 78. */
  | { readonly code: "CLI_UNAUTHORIZED" }
  /** An exception that nobody foresaw: exit code 69, after which the node is started again. */
  | { readonly code: "CLI_STRAY" }
> {}

export function usageError(message: string): CliError {
  return new CliError({ code: "CLI_USAGE" }, message);
}

export function unavailable(message: string): CliError {
  return new CliError({ code: "CLI_UNAVAILABLE" }, message);
}
