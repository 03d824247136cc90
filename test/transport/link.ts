/** A link that is slow, or goes away. */

import { connect, createServer, type Server, type Socket } from "node:net";

/** How often a slow link carries anything. */
const portionEveryMs = 10;

/** Carries bytes between two ports, until it goes away. */
export class Link {
  port = 0;
  /** How much of what is sent over a connection from now on it carries; null for all. */
  bytesPerSecond: number | null = null;
  #server: Server | null = null;
  #isAway = false;
  #isHeld = false;
  #carried: [Socket, Socket][] = [];

  async open(targetPort: () => number): Promise<this> {
    const server = createServer((near) => {
      const far = connect({ host: "127.0.0.1", port: targetPort() });
      this.#carried.push([near, far]);
      if (!this.#isAway) {
        if (this.bytesPerSecond === null) near.pipe(far);
        else this.#carryInPortions(near, far, (this.bytesPerSecond * portionEveryMs) / 1_000);
        far.pipe(near);
      }
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        socket.on("error", () => other.destroy());
        socket.on("close", () => other.destroy());
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (typeof address !== "object" || address === null) throw new Error("it listens on a port");
    this.port = address.port;
    this.#server = server;
    return this;
  }

  close(): void {
    for (const pair of this.#carried) for (const socket of pair) socket.destroy();
    this.#server?.close();
  }

  /** Nothing gets through for so long; then everything goes on, and nothing was lost. */
  async hold(ms: number): Promise<void> {
    this.#isHeld = true;
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.#isHeld = false;
  }

  #carryInPortions(near: Socket, far: Socket, portionBytes: number): void {
    near.pause();
    const timer = setInterval(() => {
      if (this.#isHeld) return;
      const bytes = Math.min(Math.ceil(portionBytes), near.readableLength || 1);
      const portion: Buffer | null = near.read(bytes) as Buffer | null;
      if (portion !== null) far.write(portion);
    }, portionEveryMs);
    near.on("close", () => clearInterval(timer));
  }

  /** Nothing is closed, and nothing gets through. */
  goAway(): void {
    this.#isAway = true;
    for (const [near, far] of this.#carried) {
      near.unpipe(far);
      far.unpipe(near);
    }
  }

  /** New connections are carried. Those from before wait for TCP to try again, which takes its time. */
  comeBack(): void {
    this.#isAway = false;
  }
}
