/** Typed errors: a code with its facts, and a message that says what is wrong and what to do. */

/**
 * Base of each folder's error class. Callers match on `instanceof` and `detail.code`, never on text;
 * operators read `message`, which therefore ends in advice.
 */
export class CodedError<Detail extends { readonly code: string }> extends Error {
  readonly detail: Detail;

  constructor(detail: Detail, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.detail = detail;
  }

  get code(): Detail["code"] {
    return this.detail.code;
  }
}

/** The message of anything thrown, with the messages of its causes. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `: ${describeError(error.cause)}`;
  return error.message + cause;
}
