/** The leader's thread of a bare commit: one put here, one at each follower, an answer once two of the three are durable. */

import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { openFloorDatabase } from "../floor.ts";
import { answerBytes, FrameCounter } from "./frames.ts";

export interface BareLeaderData {
  readonly directory: string;
  readonly sizeBytes: number;
  readonly followerPorts: readonly number[];
}

const { directory, sizeBytes, followerPorts }: BareLeaderData = workerData;
const database = openFloorDatabase(join(directory, "leader.mdb"));
const data = Buffer.alloc(sizeBytes, 7);
/** How many entries each of the three has durably; committed is what two of them have. */
const durable = [0, 0, 0];
let proposed = 0;
let committed = 0;

function isDurable(member: number): void {
  durable[member] = (durable[member] ?? 0) + 1;
  const [, second = 0] = durable.toSorted((a, b) => b - a);
  if (second <= committed) return;
  committed = second;
  parentPort?.postMessage(committed);
}

const sockets = followerPorts.map((port, at) => {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const answers = new FrameCounter(answerBytes);
  socket.on("data", (chunk) => {
    for (let due = answers.take(chunk); due > 0; due--) isDurable(at + 1);
  });
  return socket;
});
await Promise.all(sockets.map((socket) => once(socket, "connect")));

parentPort?.on("message", () => {
  for (const socket of sockets) socket.write(data);
  void database.put(proposed++, data).then(() => isDurable(0));
});
parentPort?.postMessage(committed);
