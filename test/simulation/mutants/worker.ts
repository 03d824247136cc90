/** A thread with one mutant. The product is loaded only once the mutant's edits are in place. */

import { parentPort, workerData } from "node:worker_threads";
import { loadWith } from "./edits.ts";
import type { Order } from "./hunt.ts";

const order: Order = workerData;
const unmet = loadWith(order.mutant.edits);
const { carryOut } = await import("./hunter.ts");
const reply = await carryOut(order);
for (const { file } of unmet()) throw new Error(`the simulation does not load src/${file}`);
parentPort?.postMessage(reply);
