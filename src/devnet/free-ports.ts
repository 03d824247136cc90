/** Ports for the nodes of a local cluster. */

import { createServer } from "node:net";
import { DevnetError } from "./errors.ts";

/**
 * Below the ports that kernels hand out to outgoing connections (from 32768 on Linux, 49152
 * elsewhere). A node that was killed comes back to its port, and must not find it lent to somebody.
 */
const portMin = 20_000;
const portMax = 32_000;

/** Busy ports met in a row; more means that it is not the port that is wrong. */
const attemptsMax = 500;

export type NextPort = (host: string) => Promise<number>;

/**
 * Gives a port that was free a moment ago, and never the same one twice. Two clusters that are made
 * at the same time begin at different places.
 */
export function portPicker(): NextPort {
  let next = portMin + Math.floor(Math.random() * (portMax - portMin));
  return async (host) => {
    let cause: unknown;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const port = next;
      next = next + 1 < portMax ? next + 1 : portMin;
      cause = await reasonNotFree(host, port);
      if (cause === null) return port;
    }
    throw new DevnetError(
      { code: "DEVNET_NO_PORT", host },
      `found no free port on ${host} between ${portMin} and ${portMax}, after ${attemptsMax} attempts. ` +
        "End other programs that listen there, and try again.",
      { cause },
    );
  };
}

/** null if the port is free. */
function reasonNotFree(host: string, port: number): Promise<unknown> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", resolve);
    server.listen({ host, port }, () => server.close(() => resolve(null)));
  });
}
