/** Bytes, times and texts as HTTP clients read them. */

/** Lower-case hexadecimal. Native, since a block of 5 MiB takes the portable `toHex` a second. */
export function hex(bytes: Uint8Array): string {
  return viewOf(bytes).toString("hex");
}

/** CometBFT's way to show hashes and addresses. */
export function upperHex(bytes: Uint8Array): string {
  return hex(bytes).toUpperCase();
}

export function base64(bytes: Uint8Array): string {
  return viewOf(bytes).toString("base64");
}

/** The bytes of standard base64 with its padding; null if the text is anything else. */
export function fromBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  return Uint8Array.from(Buffer.from(text, "base64"));
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text that `bytes` are; null if they are not UTF-8. */
export function utf8(bytes: Uint8Array): string | null {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return null;
  }
}

const nsPerSecond = 1_000_000_000n;

/** Go's RFC3339Nano in UTC: as many decimals as the time has, trailing zeros left out. */
export function rfc3339Nano(timeNs: bigint): string {
  const nanoseconds = ((timeNs % nsPerSecond) + nsPerSecond) % nsPerSecond;
  const seconds = (timeNs - nanoseconds) / nsPerSecond;
  const wholeSeconds = new Date(Number(seconds) * 1000).toISOString().slice(0, -".000Z".length);
  const decimals = nanoseconds.toString().padStart(9, "0").replace(/0+$/, "");
  return decimals === "" ? `${wholeSeconds}Z` : `${wholeSeconds}.${decimals}Z`;
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
