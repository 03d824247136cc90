/**
 * The token that each request to the Engine API carries: HS256 (RFC 7515), claims `iat` and, as
 * ev-node sets it, `exp` (Engine API, authentication.md).
 */

import { createHmac } from "node:crypto";
import { assert } from "../../base/assert.ts";
import { fromHex } from "../../base/bytes.ts";

export const jwtSecretBytes = 32;

/** Clients go by `iat` alone, and take it within a minute of their own clock. */
const lifeSeconds = 3600;

const header = base64Url(JSON.stringify({ alg: "HS256", typ: "JWT" }));

/** The bytes of a secret in hexadecimal, which the configuration has checked. */
export function parseJwtSecret(hex: string): Uint8Array {
  const secret = fromHex(hex.trim());
  assert(secret?.length === jwtSecretBytes, "an Engine API secret has 32 bytes");
  return secret;
}

export function mintToken(secret: Uint8Array, unixSeconds: number): string {
  const claims = base64Url(JSON.stringify({ iat: unixSeconds, exp: unixSeconds + lifeSeconds }));
  const signed = `${header}.${claims}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

function base64Url(text: string): string {
  return Buffer.from(text, "utf8").toString("base64url");
}
