/**
 * The network, in a process of its own and before all others: a packet takes its time on the way, and no longer because
 * the nodes, their load or its audit keep the processors busy.
 */

import { setPriority } from "node:os";
import { unreachable } from "../../src/base/assert.ts";
import { Dice } from "../simulation/dice.ts";
import { Links } from "./links.ts";
import type { FromNetwork, NetworkOptions, ToNetwork } from "./network-protocol.ts";

const nice = -15;

// The run gives these as JSON, from the same build.
const { ids, rttMs, farRttMs, seed }: NetworkOptions = JSON.parse(process.argv[2] ?? "{}");
const farId = ids.at(-1);
const rttMsOf = (a: string, b: string) => (a === farId || b === farId ? farRttMs : rttMs);
const links = new Links(rttMsOf, ids, new Dice(seed).fork("network"));

try {
  setPriority(nice);
} catch {
  // Not permitted: then a busy machine has a slow network.
}

// Ctrl-C in a terminal reaches this process, too, and so does what `timeout` sends: the run ends it, after its last cycle.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {});
process.on("disconnect", () => process.exit());
process.on("message", async (message: ToNetwork) => {
  switch (message.kind) {
    case "connect":
      return answer({
        requestId: message.requestId,
        port: await links.connect(message.from, message.to),
      });
    case "nodeStarted":
      await links.nodeStarted(message.id);
      return answer({ requestId: message.requestId, port: null });
    case "nodeEnded":
      return links.nodeEnded(message.id);
    case "cut":
      return links.cut(message.from, message.to);
    case "slowDown":
      return links.slowDown(message.id, message.extraMs);
    case "narrow":
      return links.narrow(message.id, message.bytesPerMs);
    case "reset":
      return links.reset(message.id);
    case "mend":
      return links.mend();
    default:
      return unreachable(message);
  }
});

function answer(message: FromNetwork): void {
  process.send?.(message);
}
