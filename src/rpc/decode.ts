/** From what clients send to values that can be trusted. Everything else here is past this edge. */

import { z } from "zod";
import { utf8 } from "./encoding.ts";
import { badRequest } from "./errors.ts";

/** `value` as `schema` has it. Throws a Refusal that names the field; `where` is "query", "body" or "params". */
export function decode<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw badRequest(describeIssue(result.error.issues[0], where, namesIn(schema)));
}

/** What reads or writes a value again, `JSON.stringify` among them, recurses: thousands of levels would use up the stack. */
const nestingMax = 64;

/** The JSON value in a request's body, nested no deeper than 64 levels. */
export function decodeJson(body: Uint8Array): unknown {
  if (body.length === 0) throw badRequest("The body is empty; a JSON value was expected.");
  const text = utf8(body);
  if (text === null) throw badRequest("The body is not UTF-8, as JSON must be.");
  const value = parseJson(text);
  if (isNestedBeyond(nestingMax, value)) {
    throw badRequest(
      `The body has arrays and objects in one another, more than ${nestingMax} deep.`,
    );
  }
  return value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const detail = error instanceof Error ? ` (${error.message})` : "";
    throw badRequest(`The body is not valid JSON${detail}.`, error);
  }
}

function isNestedBeyond(levels: number, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((inner) => isNestedBeyond(levels - 1, inner));
}

/** The request's bytes; the one body parser hands over a Buffer, or nothing without a body. */
export function bodyBytes(body: unknown): Uint8Array {
  return body instanceof Uint8Array ? body : new Uint8Array(0);
}

/** Of an object's fields. */
function namesIn(schema: z.ZodType): readonly string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

function describeIssue(
  issue: z.core.$ZodIssue | undefined,
  where: string,
  names: readonly string[],
): string {
  if (issue === undefined) return `The ${where} is not what was expected.`;
  const path = issue.path.map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    const keys = issue.keys.map((key) => JSON.stringify(key)).join(", ");
    const known = names.length === 0 ? "" : ` It may have ${names.join(", ")}.`;
    return `The ${where} has ${keys}, which is not known here.${known}`;
  }
  const subject = path === "" ? `The ${where}` : `${JSON.stringify(path)} in the ${where}`;
  return `${subject} ${issue.message}.`;
}
