/** What a load makes of an answer: over real HTTP, from a server that gives each transaction those of a list in turn. */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { afterEach, expect, it } from "vitest";
import { Load } from "../../src/devnet/load.ts";
import { LoadKeys } from "../../src/devnet/load-keys.ts";

type Answer = readonly [status: number, body: string];

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** Sends a transaction, or the few that are due at once, and returns what became of them, and how often each was sent. */
async function sendFew(answers: readonly Answer[]) {
  const timesSent = new Map<string, number>();
  const server = createServer((request, response) => {
    const key = String(request.headers["idempotency-key"]);
    const times = timesSent.get(key) ?? 0;
    timesSent.set(key, times + 1);
    const [status, body] = answers[times] ?? [500, ""];
    request.resume().on("end", () => response.writeHead(status).end(body));
  });
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const enough = new AbortController();
  const node = {
    id: "node-1",
    rpcUrl: `http://127.0.0.1:${port}`,
    // Asked as soon as there is something to send.
    get isRunning(): boolean {
      enough.abort();
      return true;
    },
  };
  const heights: number[] = [];
  const refusals: string[] = [];
  const load = new Load({
    txPerSecond: 100,
    keys: new LoadKeys(),
    nodes: [node],
    onAccepted: (_sequence, height) => heights.push(height),
    onRefused: (problem) => refusals.push(problem),
  });
  await load.run(enough.signal);
  await load.settle(30_000);
  return { heights, refusals, failed: load.failed, timesSent: [...timesSent.values()] };
}

it.each([
  ["408, of a node that was stopped while the request waited", 408],
  ["429, of one that has enough to do", 429],
  ["503, of one that knows no leader", 503],
])("a transaction is sent again, under the same key, after %s", async (_what, status) => {
  const sent = await sendFew([
    [status, ""],
    [200, '{"height":7}'],
  ]);
  expect(sent.timesSent.length).toBeGreaterThan(0);
  expect(sent).toEqual({
    heights: sent.timesSent.map(() => 7),
    refusals: [],
    failed: 0,
    timesSent: sent.timesSent.map(() => 2),
  });
});

it("a transaction that is refused for good is not sent again, and the first is told of", async () => {
  const { timesSent, ...sent } = await sendFew([[400, "too long"]]);
  expect(new Set(timesSent)).toEqual(new Set([1]));
  expect(sent).toEqual({
    heights: [],
    refusals: [expect.stringMatching(/^transaction load-[0-9a-f]{6}-\d+: 400 too long$/)],
    failed: timesSent.length,
  });
});
