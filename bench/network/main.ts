/**
 * The process of a slow network: before every member a proxy through which bytes take their time both ways.
 * It adds delay, and takes no bandwidth: what is sent meanwhile is under way at the same time.
 */

import { Link, type Way } from "../../test/chaos/link.ts";
import type { NetworkOptions, ToNetwork } from "./protocol.ts";

// The benchmark gives these as JSON, from the same build.
const { host, oneWayMs, ways }: NetworkOptions = JSON.parse(process.argv[2] ?? "{}");
const way: Way = { delayMs: () => oneWayMs, isCut: false };
const links = new Map(
  ways.map(({ to, via }) => [
    to,
    new Link({ host, port: via, targetPort: to, there: way, back: way }),
  ]),
);

process.on("message", async ({ kind, to }: ToNetwork) => {
  if (kind === "close") return links.get(to)?.close();
  await links.get(to)?.open();
  process.send?.("opened");
});
process.on("disconnect", () => process.exit());
