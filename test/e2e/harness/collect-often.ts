/**
 * Loaded into a node with `--import`: each of its threads collects its garbage every second, so that what
 * the process takes is what it needs. Without it V8 lets garbage lie as long as there is memory.
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");
if (typeof collect !== "function") throw new Error("V8 does not show its collector");
setInterval(() => collect(), 1_000).unref();
