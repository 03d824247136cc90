/** What clients see of a cluster's keys is judged, and an answer that is out of date is found. */

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, it, onTestFinished } from "vitest";
import { Dice } from "../simulation/dice.ts";
import { RegisterClients } from "./registers.ts";

/** How a node answers. The one state that all share has for each key all its values, the newest last. */
interface Habits {
  /** null: as if nothing had come. */
  write?(values: string[], value: string): { readonly status: number; readonly body?: object };
  read?(values: readonly string[], consistency: string | null): string | undefined;
}

const committed = { status: 200, body: { height: 1 } };
const good: Required<Habits> = {
  write: (values, value) => {
    values.push(value);
    return committed;
  },
  read: (values) => values.at(-1),
};
const mayCommit = (may_commit: boolean) => ({
  status: 503,
  body: { error: { code: "UNAVAILABLE", may_commit } },
});

it.each<[string, Habits]>([
  ["all answers are of now", {}],
  [
    "stale reads are of the past",
    { read: (values, consistency) => values.at(consistency === "stale" ? -3 : -1) },
  ],
  [
    "writes that nobody acknowledged have an effect, and others none",
    {
      write(values, value) {
        if (Number(value) % 2 === 0) values.push(value);
        return mayCommit(true);
      },
    },
  ],
  ["writes are refused, and have none", { write: () => mayCommit(false) }],
])("nothing is wrong where %s", async (_, habits) => {
  const { clients, violations } = await runWith(habits);
  expect(violations).toEqual([]);
  const { keys, reads, staleReads } = clients.counts;
  expect(keys).toBeGreaterThan(5);
  expect(reads).toBeGreaterThan(50);
  expect(staleReads).toBeGreaterThan(10);
  expect(clients.size).toBeLessThan(200);
});

it.each<[string, Habits, RegExp]>([
  [
    "a node answers from the past as if it were now",
    { read: (values) => values.at(-2) },
    /register-\S+ is not one register: .*a linearizable read at node-2/,
  ],
  [
    "an acknowledged write is lost",
    { write: () => committed },
    /is not one register: .*a linearizable read/,
  ],
  [
    "a write has an effect that was said to have none",
    {
      write(values, value) {
        values.push(value);
        return mayCommit(false);
      },
    },
    /reads \d+ within \S+ what nobody wrote/,
  ],
  [
    "a stale read shows what nobody wrote",
    { read: (values, consistency) => (consistency === "stale" ? "4711" : values.at(-1)) },
    /a stale read at node-2 reads 4711 within \S+ what nobody wrote/,
  ],
  [
    "a node answers what makes no sense",
    { read: () => "a word" },
    /read at node-2 was answered 200/,
  ],
])("it is found where %s", async (_, habits, problem) => {
  const { violations } = await runWith(habits);
  expect(violations.join("\n")).toMatch(problem);
});

/** Two nodes: the first is as it should be. */
async function runWith(habits: Habits) {
  const state = new Map<string, string[]>();
  const nodes = await Promise.all([
    serve("node-1", state, good),
    serve("node-2", state, { ...good, ...habits }),
  ]);
  const violations: string[] = [];
  const clients = new RegisterClients({
    nodes,
    dice: new Dice(1),
    onViolation: (violation) => violations.push(violation),
    operationsMax: 40,
    pauseMs: 2,
  });
  const enough = new AbortController();
  const running = clients.run(enough.signal);
  await expect.poll(() => clients.counts.reads > 100 && clients.counts.keys > 6).toBe(true);
  enough.abort();
  await running;
  return { clients, violations };
}

async function serve(id: string, state: Map<string, string[]>, habits: Required<Habits>) {
  const server = createServer((request, response) => void answer(request, response));
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://node");
    const body = await text(request);
    const [key = "", value = ""] =
      request.method === "POST" ? body.split("=") : [pathname.slice(7)];
    const values = state.get(key) ?? [];
    state.set(key, values);
    const reply = (status: number, body: object) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    if (request.method === "POST") {
      const { status, body: said = {} } = habits.write(values, value);
      return reply(status, said);
    }
    const read = habits.read(values, searchParams.get("consistency"));
    if (read === undefined) return reply(404, { error: { code: "KEY_NOT_FOUND" } });
    return reply(200, { value: read });
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { id, rpcUrl: `http://127.0.0.1:${port}`, isRunning: true };
}
