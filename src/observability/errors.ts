/** What can go wrong in the world around logs and metrics. */
import { CodedError } from "../base/coded-error.ts";

export class ObservabilityError extends CodedError<
  | { readonly code: "LOG_FILE_UNUSABLE"; readonly path: string }
  | { readonly code: "METRICS_NAMESPACE_INVALID"; readonly namespace: string }
  | { readonly code: "METRICS_ADDRESS_IN_USE"; readonly address: string }
  | { readonly code: "METRICS_LISTEN_FAILED"; readonly address: string }
> {}
