/** The golden vectors of hashicorp/raft v1.7.3, read and checked: see vectors/raft-wire-vectors.json. */

import { readFileSync } from "node:fs";
import { z } from "zod";
import { defined } from "../../src/base/assert.ts";
import { fromHex } from "../../src/base/bytes.ts";
import { goTime, zeroGoTime } from "../../src/transport/go-time.ts";

const vectorSchema = z.object({
  name: z.string(),
  kind: z.enum(["request", "response", "configuration", "log"]),
  rpcType: z.number().optional(),
  struct: z.string(),
  timeFormat: z.enum(["legacy", "new"]).optional(),
  encode: z.boolean(),
  decodeError: z.boolean().default(false),
  fields: z.record(z.string(), z.unknown()).nullable(),
  stream: z.string().optional(),
  hex: z.string(),
});

export type Vector = z.infer<typeof vectorSchema>;

export const vectors: readonly Vector[] = z
  .array(vectorSchema)
  .parse(
    JSON.parse(readFileSync(new URL("./vectors/raft-wire-vectors.json", import.meta.url), "utf8")),
  );

export function vector(name: string): Vector {
  return defined(
    vectors.find((candidate) => candidate.name === name),
    `there is a vector ${name}`,
  );
}

export function hexBytes(hex: string): Uint8Array {
  return defined(fromHex(hex), "hexadecimal text");
}

const byteFields = new Set(["Leader", "Candidate", "Data", "Extensions", "Peers", "Configuration"]);
const timeSchema = z.object({
  unixSec: z.string(),
  nsec: z.number(),
  zone: z.union([z.string(), z.number()]),
});

/** A vector's fields as the codecs hold them: numbers where exact, byte arrays, times as sent. */
export function wireFields(
  fields: Record<string, unknown>,
  timeFormat: "legacy" | "new",
): Record<string, unknown> {
  const isServer = "Suffrage" in fields;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, wireField(name, value)]),
  );

  function wireField(name: string, value: unknown): unknown {
    if (name === "AppendedAt") return timeBytes(value, timeFormat);
    if (value === null || typeof value === "boolean" || typeof value === "number") return value;
    if (Array.isArray(value)) {
      return value.map((item) =>
        wireFields(z.record(z.string(), z.unknown()).parse(item), timeFormat),
      );
    }
    const text = z.string().parse(value);
    if (byteFields.has(name) || (!isServer && (name === "ID" || name === "Addr"))) {
      return hexBytes(text);
    }
    if (isServer) return text;
    return Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text);
  }
}

/** A time as its sender's format has it on the wire; null is nil. */
function timeBytes(value: unknown, timeFormat: "legacy" | "new"): Uint8Array | null {
  if (timeFormat === "legacy") return legacyTime(value);
  if (value === null) return null;
  const { unixSec, nsec } = timeSchema.parse(value);
  const seconds = BigInt(unixSec);
  const isShort = seconds >= 0n && seconds < 2n ** 34n;
  const size = !isShort ? 12 : nsec === 0 && seconds < 2n ** 32n ? 4 : 8;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  if (size === 4) view.setUint32(0, Number(seconds));
  else if (size === 8) view.setBigUint64(0, (BigInt(nsec) << 34n) | seconds);
  else {
    view.setUint32(0, nsec);
    view.setBigInt64(4, seconds);
  }
  return bytes;
}

/** What every time reads as, whatever its format. */
export function legacyTime(value: unknown): Uint8Array {
  if (value === null) return zeroGoTime;
  const { unixSec, nsec, zone } = timeSchema.parse(value);
  const utc = goTime(BigInt(unixSec), nsec);
  if (zone === "UTC") return utc;
  const offsetSeconds = typeof zone === "number" ? zone * 60 : Number.parseInt(zone, 10);
  const minutes = Math.floor(offsetSeconds / 60);
  const seconds = offsetSeconds % 60;
  const bytes = new Uint8Array(seconds === 0 ? 15 : 16);
  bytes.set(utc);
  if (seconds !== 0) bytes.set([2], 0);
  new DataView(bytes.buffer).setInt16(13, minutes);
  if (seconds !== 0) bytes.set([seconds], 15);
  return bytes;
}
