/** The other end of the floor's TCP round trip: answers every `size` bytes with 64. */

import { createServer } from "node:net";

const sizeBytes = Number(process.argv[2]);
const answer = Buffer.alloc(64, 7);

const server = createServer({ noDelay: true }, (socket) => {
  let receivedBytes = 0;
  socket.on("data", (chunk) => {
    receivedBytes += chunk.length;
    for (; receivedBytes >= sizeBytes; receivedBytes -= sizeBytes) socket.write(answer);
  });
  socket.on("error", () => socket.destroy());
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address !== "string") process.send?.(address.port);
});
process.on("disconnect", () => process.exit());
