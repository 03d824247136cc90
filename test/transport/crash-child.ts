/** A node in a process of its own, to be killed: listens, answers every request, prints its port. */

import { TcpTransport } from "../../src/transport/tcp-transport.ts";
import { answerTo } from "./harness.ts";

const [parentAddress = ""] = process.argv.slice(2);
const transport = new TcpTransport(
  {
    localId: "b",
    advertisedAddress: () => "127.0.0.1:1",
    listen: { host: "127.0.0.1", port: 0 },
    peers: new Map([["a", parentAddress]]),
    sendTimeoutMs: 1_000,
    allowFrom: [],
  },
  {
    onMessage: (message) => {
      if (message.kind.endsWith("Request")) transport.send(answerTo(message));
    },
    onRpcFailed: () => {},
    onProcessGone: () => {},
    onExtensionRequest: () => {},
    onEvent: () => {},
  },
);
const { port } = await transport.start();
process.stdout.write(`${port}\n`);
