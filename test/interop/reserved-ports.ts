/** Ports for processes that are not our nodes. */

import { createServer, type Server } from "node:net";
import { portPicker } from "../../src/devnet/free-ports.ts";

export const host = "127.0.0.1";

/** Ports that nobody else takes before they are released. */
export async function reservePorts(count: number) {
  const nextPort = portPicker();
  const ports: number[] = [];
  const servers: Server[] = [];
  for (let nth = 0; nth < count; nth++) {
    const port = await nextPort(host);
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen({ host, port }, resolve);
    });
    ports.push(port);
    servers.push(server);
  }
  const release = async () => {
    for (const server of servers) await new Promise((resolve) => server.close(resolve));
  };
  return { ports, release };
}
