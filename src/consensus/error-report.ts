/** Errors as they cross the thread boundary: a class and its facts survive, so that callers can match on them. */

import { InvariantError } from "../base/assert.ts";
import { CodedError } from "../base/coded-error.ts";
import { StorageError } from "../storage/errors.ts";
import { TransportError } from "../transport/errors.ts";
import type { ErrorReport } from "./messages.ts";

export function reportError(error: unknown): ErrorReport {
  if (!(error instanceof Error)) {
    return { name: "Error", message: String(error), stack: null, detail: null, system: null };
  }
  const { name, message, stack = null } = error;
  const detail = error instanceof CodedError ? error.detail : null;
  return { name, message, stack, detail, system: systemFacts(error) };
}

function systemFacts(error: Error): ErrorReport["system"] {
  return "syscall" in error && "code" in error
    ? { syscall: error.syscall, code: error.code }
    : null;
}

export function errorFromReport({ stack, ...report }: ErrorReport): Error {
  const error = rebuild(report);
  if (stack !== null) error.stack = stack;
  return error;
}

/** What `reportError` took apart in the other thread, of the same build, has the detail of its class. */
function rebuild({ name, message, detail, system }: Omit<ErrorReport, "stack">): Error {
  switch (name) {
    case "InvariantError":
      return new InvariantError(message.replace(/^invariant broken: /, ""));
    case "StorageError":
      return new StorageError(detail as StorageError["detail"], message);
    case "TransportError":
      return new TransportError(detail as TransportError["detail"], message);
    default:
      return Object.assign(new Error(message), system);
  }
}
