/** Mistakes on the command line. */

import { CodedError } from "../base/coded-error.ts";

export class CliError extends CodedError<
  /** The arguments make no sense: exit code 64. */
  | { readonly code: "CLI_USAGE" }
  /** An exception that nobody foresaw: exit code 69, after which the node is started again. */
  | { readonly code: "CLI_STRAY" }
> {}

export function usageError(message: string): CliError {
  return new CliError({ code: "CLI_USAGE" }, message);
}
