/** A follower of a bare commit: every `sizeBytes` that arrive are one put, and an answer once it is durable. */

import { createServer } from "node:net";
import { join } from "node:path";
import { openFloorDatabase } from "../floor.ts";
import { answerBytes, FrameCounter } from "./frames.ts";

const [directory = "", sizeText = ""] = process.argv.slice(2);
const sizeBytes = Number(sizeText);
const database = openFloorDatabase(join(directory, `follower-${process.pid}.mdb`));
const data = new Uint8Array(sizeBytes).fill(7);
const answer = Buffer.alloc(answerBytes, 7);
let key = 0;

const server = createServer({ noDelay: true }, (socket) => {
  const frames = new FrameCounter(sizeBytes);
  socket.on("data", (chunk) => {
    for (let due = frames.take(chunk); due > 0; due--) {
      void database.put(key++, data).then(() => socket.write(answer));
    }
  });
  socket.on("error", () => socket.destroy());
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address !== "string") process.send?.(address.port);
});
process.on("disconnect", () => process.exit());
