/**
 * Whole nodes whose execution clients are unwell: each trouble is one clear line in the log, metrics, an
 * unready node that hands over (P5) and skips nothing (P8), and passes by itself. What no wait can mend ends the
 * node with 70.
 */

import type { ServerResponse } from "node:http";
import { expect, it } from "vitest";
import { type FakeEvReth, jwtSecret } from "../execution/engine/fake-ev-reth.ts";
import {
  endCleanly,
  heightOf,
  kill,
  logLines,
  producingLeader,
  untilGrown,
} from "./harness/cluster.ts";
import { report } from "./harness/distribution.ts";
import { countFrom } from "./harness/effort.ts";
import { expectOneWay, type FakePair, startFakePairs } from "./harness/fake-clients.ts";
import { LogTail } from "./harness/log-tail.ts";
import { until } from "./harness/until.ts";
import { unreadyReason } from "./harness/watch.ts";

interface Trouble {
  readonly name: string;
  /** Undoes it when it is called. */
  readonly begin: (client: FakeEvReth) => () => unknown;
  /** The reason in the log. */
  readonly says: RegExp;
  /** Its calls have results, of which none is a block executed. */
  readonly answers?: boolean;
  readonly forMs?: number;
}

/** A call is given up after 8 s; 30 s and so on by `EVM_E2E_HANG_MS`. */
const hangMs = countFrom("EVM_E2E_HANG_MS", 8_000);

const troubles: readonly Trouble[] = [
  {
    name: "has another JWT secret",
    begin: (client) => {
      client.secret = new Uint8Array(32).fill(8);
      return () => {
        client.secret = jwtSecret;
      };
    },
    says: /refuses the token \(.*signature is invalid.*\): give both the same JWT secret/,
  },
  {
    name: "has a clock that is two minutes ahead",
    begin: (client) => {
      client.clockAheadSeconds = 120;
      return () => {
        client.clockAheadSeconds = 0;
      };
    },
    says: /refuses the token \(.*stale token.*\).*let their clocks agree within 60 s/,
  },
  {
    name: "is behind a proxy that answers 401",
    begin: answering((response) => {
      response.statusCode = 401;
      response.end("<html>Unauthorized</html>");
    }),
    says: /refuses the token \(.*Unauthorized.*\)/,
  },
  {
    name: "has its engine port closed",
    begin: (client) => {
      const closing = client.engine.stop();
      return () => closing.then(() => client.reopenEngine());
    },
    says: /cannot be reached \(ECONNREFUSED\): start it, or correct the URL/,
  },
  {
    name: "answers with HTTP 503",
    begin: answering((response) => {
      response.statusCode = 503;
      response.end("busy");
    }),
    says: /answers with HTTP status 503 \(.*busy.*\): is that the execution client's port\?/,
  },
  {
    name: "answers with no JSON",
    begin: answering((response) => response.end("hello")),
    says: /something that is no such answer \(no JSON-RPC answer\)/,
  },
  {
    name: "answers with JSON that is no such result",
    begin: answering((response, id) =>
      response.end(JSON.stringify({ jsonrpc: "2.0", id, result: { status: 7 } })),
    ),
    says: /something that is no such answer \(result\./,
  },
  {
    name: "hangs up in the middle of its answers",
    begin: answering((response) => {
      response.setHeader("content-length", 1_000);
      response.write("{", () => response.destroy());
    }),
    says: /cannot be reached \(ECONNRESET\): check it and its log/,
  },
  {
    name: "takes itself to be syncing",
    begin: (client) => {
      const honest = client.engine.handler;
      client.engine.handler = (asked, response) =>
        asked.method === "engine_newPayloadV4"
          ? { status: "SYNCING", latestValidHash: null }
          : honest(asked, response);
      return () => {
        client.engine.handler = honest;
      };
    },
    answers: true,
    says: /answers engine_newPayloadV4 with SYNCING: it has not all that the block is built on/,
  },
  {
    name: "hangs",
    begin: answering(() => {}),
    says: /has not answered engine_\w+ within 8 s: it hangs or is overloaded/,
    forMs: hangMs,
  },
];

const failures = ["execution_failures_total"];

/** To everything that its engine port is asked. */
function answering(answer: (response: ServerResponse, id: unknown) => void): Trouble["begin"] {
  return (client) => {
    const honest = client.engine.handler;
    client.engine.handler = ({ body }, response) => answer(response, JSON.parse(body).id);
    return () => {
      client.engine.handler = honest;
    };
  };
}

it(`${troubles.length} troubles of a leader's client: told, handed over, and over by themselves`, {
  timeout: 600_000 + troubles.length * 2 * hangMs,
}, async () => {
  const { cluster, pairs } = await startFakePairs();
  for (const trouble of troubles) {
    const { name, says, answers = false, forMs = 0 } = trouble;
    const leader = await producingLeader(cluster);
    const { node, client } = pairOf(pairs, leader);
    const tail = new LogTail(node);
    const before = await metricsOf(node);
    const beganMs = performance.now();
    const end = trouble.begin(client);
    await until(`${node.id} is unready: its client ${name}`, async () => {
      const response = await fetch(`${node.rpcUrl}/health/ready`);
      return response.status === 503 && /the execution client fails/.test(await response.text());
    });
    const next = await producingLeader(cluster, [node]);
    const handedOverMs = performance.now() - beganMs;
    await untilGrown(next, 3);
    await until(`${node.id} says that its client ${name}`, async () =>
      tail.has(new RegExp(`WRN execution: execution failed, retrying .*${says.source}`)),
    );
    await until("the trouble has lasted", async () => performance.now() - beganMs >= forMs);
    const during = await metricsOf(node);
    expect(during.get("execution_healthy"), name).toBe(0);
    expect(during.get("execution_failing_seconds"), name).toBeGreaterThan(1);
    const rising = answers ? failures : [...failures, "execution_calls_failed_total"];
    for (const counter of rising) {
      const was = before.get(counter) ?? 0;
      expect(during.get(counter), `${name}: ${counter}`).toBeGreaterThan(was);
    }

    await end();
    await until(`${node.id} is ready again`, async () => (await unreadyReason(node)) === null);
    const height = await heightOf(next);
    await until("its client has all blocks", () => client.headNumber >= height);
    expect(tail.count(/INF execution: execution works again height=\d+ downMs=\d+/), name).toBe(1);
    const after = await metricsOf(node);
    expect(after.get("execution_healthy"), name).toBe(1);
    expect(after.get("execution_failing_seconds"), name).toBe(0);
    report(`its client ${name}: another leads after ${Math.round(handedOverMs)} ms`);
  }
  expectOneWay(pairs);
  await endCleanly(cluster);
});

it("a node waits for a client that refuses it at the start, says so, and joins by itself", {
  timeout: 240_000,
}, async () => {
  const { cluster, pairs } = await startFakePairs();
  const leader = await producingLeader(cluster);
  const [late] = pairs.filter(({ node }) => node !== leader);
  if (late === undefined) throw new Error("there are three");
  const { node, client } = late;
  await kill(node);
  client.secret = new Uint8Array(32);
  const tail = new LogTail(node);
  await late.start();
  await until("it says what it waits for", async () =>
    tail.has(/WRN waiting for the execution client reason=.*refuses the token/),
  );
  await untilGrown(leader, 5);
  expect(await unreadyReason(node)).toContain("its log says what it waits for");
  expect((await fetch(`${node.rpcUrl}/health/live`)).status, "it need not be restarted").toBe(200);
  expect((await metricsOf(node)).get("execution_healthy")).toBe(0);
  client.secret = jwtSecret;
  await until("it is ready", async () => (await unreadyReason(node)) === null);
  expect((await metricsOf(node)).get("execution_healthy")).toBe(1);
  const height = await heightOf(leader);
  await until("its client has all blocks", () => client.headNumber >= height);
  expectOneWay(pairs);
  await endCleanly(cluster);
});

it("a client that rejects a committed block ends its node with 70, and the others go on", {
  timeout: 240_000,
}, async () => {
  const { cluster, pairs } = await startFakePairs();
  const leader = await producingLeader(cluster);
  const { node, client, start } = pairOf(pairs, leader);
  await untilGrown(node, 3);
  const honest = client.engine.handler;
  const latestValidHash = client.headHash;
  client.engine.handler = (asked, response) =>
    asked.method === "engine_newPayloadV4"
      ? { status: "INVALID", latestValidHash, validationError: "invalid merkle root" }
      : honest(asked, response);
  const sentence =
    /^evm: state divergence at height \d+: the execution client rejects the committed block 0x\w{64}, after the valid block 0x\w{64} \(invalid merkle root\)\. Two clients disagree: /;
  for (const nth of [1, 2]) {
    expect(await node.exited, `time ${nth}`).toEqual({ code: 70, signal: null });
    expect(logLines(node).filter((line) => sentence.test(line))).toHaveLength(nth);
    // Nor does another start help, as long as they disagree.
    if (nth === 1) await start();
  }
  const next = await producingLeader(cluster, [node]);
  await untilGrown(next, 3);
  client.engine.handler = honest;
  await start();
  await until("it is ready", async () => (await unreadyReason(node)) === null);
  expectOneWay(pairs);
});

function pairOf(pairs: readonly FakePair[], node: FakePair["node"]): FakePair {
  const found = pairs.find((pair) => pair.node === node);
  if (found === undefined) throw new Error(`${node.id} is one of the nodes`);
  return found;
}

/** Of the execution client: by name, the sum over all labels. */
async function metricsOf({ metricsUrl }: FakePair["node"]): Promise<ReadonlyMap<string, number>> {
  const sums = new Map<string, number>();
  for (const line of (await (await fetch(metricsUrl)).text()).split("\n")) {
    const [, name = "", value] = /^\w+?_(execution_\w+)(?:\{.*\})? (\S+)$/.exec(line) ?? [];
    if (name !== "") sums.set(name, (sums.get(name) ?? 0) + Number(value));
  }
  return sums;
}
