/** `p2p.listen_address`: one TCP multiaddr, and why it could not be opened. */

import { createServer } from "node:net";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { badAddress, listenFailed, type P2pError } from "./errors.ts";
import { addressMaxChars } from "./limits.ts";

export interface ListenAddress {
  readonly multiaddr: Multiaddr;
  readonly host: string;
  readonly port: number;
}

/** Throws P2pError unless `text` is `/ip4|ip6|dns.../<host>/tcp/<port>`. */
export function parseListenAddress(text: string): ListenAddress {
  const setting = "p2p.listen_address";
  const address = parse(text);
  const [network, transport, ...rest] = address?.getComponents() ?? [];
  const port = Number(transport?.value);
  const isTcp = transport?.name === "tcp" && Number.isInteger(port);
  if (address === null || network?.value === undefined || !isTcp || !hosts.has(network.name)) {
    throw badAddress(setting, text, "is no TCP multiaddr; write it like /ip4/0.0.0.0/tcp/26656");
  }
  if (rest.length > 0) {
    const plain = `/${network.name}/${network.value}/tcp/${port}`;
    throw badAddress(setting, text, `says more than where to listen; write ${plain}`);
  }
  return { multiaddr: address, host: network.value, port };
}

const hosts = new Set(["ip4", "ip6", "dns", "dns4", "dns6"]);

function parse(text: string): Multiaddr | null {
  if (text.length > addressMaxChars) return null;
  try {
    return multiaddr(text);
  } catch {
    return null;
  }
}

/** The error for `cause`. libp2p tells it as text only, so the system is asked once more for its code. */
export async function explainListenFailure(
  address: ListenAddress,
  cause: unknown,
): Promise<P2pError> {
  return listenFailed(address.multiaddr.toString(), await tryToListen(address), cause);
}

function tryToListen({ host, port }: ListenAddress): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
    server.listen({ host, port }, () => server.close(() => resolve(undefined)));
  });
}
