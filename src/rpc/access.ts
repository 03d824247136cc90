/** Who may use the admin paths: this machine, or whoever holds the configured token. */

import { createHash, timingSafeEqual } from "node:crypto";
import { BlockList, isIPv6 } from "node:net";
import type { FastifyRequest } from "fastify";
import { Refusal } from "./errors.ts";

/** Throws a Refusal unless the request may use the admin paths. */
export type AdminGuard = (request: FastifyRequest) => void;

export function adminGuard(adminToken: string | null): AdminGuard {
  return adminToken === null ? requireThisMachine : tokenGuard(adminToken);
}

function tokenGuard(adminToken: string): AdminGuard {
  const expected = digest(adminToken);
  return ({ headers }) => {
    const given = /^Bearer +(.+)$/i.exec(headers.authorization ?? "")?.[1];
    // Digests have one length, so the comparison tells nothing about the token's.
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return;
    throw new Refusal(
      { code: "UNAUTHORIZED" },
      "Admin requests need the configured token: send it as `Authorization: Bearer TOKEN`.",
    );
  };
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/**
 * A loopback peer is not enough: a proxy on this machine speaks for anybody, and so does a browser on
 * it that shows a foreign page. Browsers give themselves away by their headers, proxies only if they
 * are set up to add any: behind a proxy, configure a token.
 */
function requireThisMachine({ headers, socket }: FastifyRequest): void {
  const address = socket.remoteAddress ?? "";
  const isProxied = headers.forwarded !== undefined || headers["x-forwarded-for"] !== undefined;
  const isFromBrowser = headers.origin !== undefined || headers["sec-fetch-site"] !== undefined;
  if (isLoopback(address) && !isProxied && !isFromBrowser) return;
  throw new Refusal(
    { code: "FORBIDDEN" },
    "Admin requests are answered on this machine's loopback address only, and not through a proxy or " +
      "from a browser. Run the command on the node itself, or configure an admin token.",
  );
}

function isLoopback(address: string): boolean {
  // BlockList also sees through IPv4-mapped IPv6 addresses (::ffff:127.0.0.1).
  return loopback.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}
