/**
 * Go's binary time: 15 bytes (16 with seconds in the zone), which a node stores and forwards without
 * looking inside. Senders built with go-msgpack's new format send a msgpack timestamp instead; that
 * becomes the same 15 bytes here, so everything behind the wire knows one format.
 *
 *   01 | seconds since year 1, i64 | nanoseconds, u32 | zone in minutes, i16; ffff is UTC
 */

import { badFrame } from "./errors.ts";

/** 1970-01-01 in Go's count of seconds. */
const unixEpochSeconds = 62135596800n;

/** Go's `time.Time{}` as it goes over the wire. */
export const zeroGoTime: Uint8Array = Uint8Array.of(
  1,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  255,
  255,
);

/** Whether `bytes` are a time in Go's own format. */
export function isGoTime(bytes: Uint8Array): boolean {
  return (bytes.length === 15 && bytes[0] === 1) || (bytes.length === 16 && bytes[0] === 2);
}

/** A Unix time in Go's format, UTC: what a leader stamps on an entry. */
export function goTime(unixSeconds: bigint, nanoseconds: number): Uint8Array {
  const bytes = new Uint8Array(15);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 1);
  view.setBigInt64(1, BigInt.asIntN(64, unixSeconds + unixEpochSeconds));
  view.setUint32(9, nanoseconds);
  view.setInt16(13, -1);
  return bytes;
}

/** The payload of a msgpack timestamp (4, 8 or 12 bytes) in Go's format. Throws a bad-frame error. */
export function goTimeOfTimestamp(payload: Uint8Array): Uint8Array {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  switch (payload.length) {
    case 4:
      return goTime(BigInt(view.getUint32(0)), 0);
    case 8: {
      const packed = view.getBigUint64(0);
      return normalized(packed & 0x3ffffffffn, packed >> 34n);
    }
    case 12:
      return normalized(view.getBigInt64(4), BigInt(view.getUint32(0)));
    default:
      throw badFrame(`a time of ${payload.length} bytes`);
  }
}

function normalized(unixSeconds: bigint, nanoseconds: bigint): Uint8Array {
  const second = 1_000_000_000n;
  return goTime(unixSeconds + nanoseconds / second, Number(nanoseconds % second));
}
