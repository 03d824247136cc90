/** Three nodes, each with a geth of its own: one chain on all of them, whoever dies. */

import { parseEther } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { describe, expect, it } from "vitest";
import { hasGeth, needingGeth } from "../geth/binary.ts";
import { exampleGenesis } from "../geth/geth.ts";
import { kill, logLines, producingLeader, untilAllFollow } from "./harness/cluster.ts";
import {
  auditClients,
  type Pair,
  pairOf,
  startNode,
  startPairs,
} from "./harness/engine-cluster.ts";
import { until } from "./harness/until.ts";

/** The account that the example genesis gives a balance; its key is known to everybody. */
const account = privateKeyToAccount(
  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
);
const receiver = "0x1111111111111111111111111111111111111111";

async function transfer(nonce: number): Promise<Uint8Array<ArrayBuffer>> {
  const raw = await account.signTransaction({
    chainId: exampleGenesis.config.chainId,
    type: "eip1559",
    nonce,
    to: receiver,
    value: parseEther("1"),
    gas: 21_000n,
    maxFeePerGas: 10n ** 10n,
    maxPriorityFeePerGas: 10n ** 9n,
  });
  return new Uint8Array(Buffer.from(raw.slice(2), "hex"));
}

/** Sends it to the nodes in turn until one answers with its block; it is executed once all the same. */
async function submit(pairs: readonly Pair[], nonce: number): Promise<number> {
  const body = await transfer(nonce);
  let attempt = nonce;
  return await until(`transaction ${nonce} is in a block`, async () => {
    const { node } = pairs[attempt++ % pairs.length] ?? {};
    const answer = await fetch(`${node?.rpcUrl}/tx`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body,
    }).catch(() => null);
    if (answer?.status !== 200) return null;
    const { height } = (await answer.json()) as { readonly height: number };
    return height;
  });
}

/** Every client has the same blocks up to the lowest head, and the balance says what was sent. */
async function expectOneChain(pairs: readonly Pair[], sent: number): Promise<void> {
  await until("all clients have the transfers", async () => {
    const counts = pairs.map(({ client }) =>
      client.getTransactionCount({ address: account.address }).catch(() => -1),
    );
    return (await Promise.all(counts)).every((count) => count === sent);
  });
  for (const { client } of pairs) {
    expect(await client.getBalance({ address: receiver })).toBe(parseEther(String(sent)));
  }
  expect(await auditClients(pairs)).toHaveLength(sent);
}

describe.skipIf(!hasGeth())(needingGeth("three nodes with a geth each"), () => {
  it("have one chain, through the death of the leader and of its client", {
    timeout: 300_000,
  }, async () => {
    const { cluster, pairs } = await startPairs();
    await untilAllFollow(cluster);
    for (let nonce = 0; nonce < 4; nonce++) await submit(pairs, nonce);
    await expectOneChain(pairs, 4);

    const dead = await producingLeader(cluster);
    const deadPair = pairOf(pairs, dead);
    await kill(dead);
    const survivors = pairs.filter((pair) => pair !== deadPair);
    for (let nonce = 4; nonce < 8; nonce++) await submit(survivors, nonce);
    await expectOneChain(survivors, 8);
    await startNode(deadPair);
    await untilAllFollow(cluster);
    await expectOneChain(pairs, 8);

    const leader = await producingLeader(cluster);
    const failing = pairOf(pairs, leader);
    await failing.geth.kill();
    const next = await producingLeader(cluster, [leader]);
    expect(next).not.toBe(leader);
    const others = pairs.filter((pair) => pair !== failing);
    for (let nonce = 8; nonce < 12; nonce++) await submit(others, nonce);
    expect(logLines(leader).some((line) => line.includes("execution failed, retrying"))).toBe(true);
    await failing.geth.start();
    await expectOneChain(pairs, 12);
    expect(logLines(leader).some((line) => line.includes("execution works again"))).toBe(true);

    // A client without its data gets the whole chain from the node beside it.
    const [wiped] = others;
    if (wiped === undefined) throw new Error("there are three nodes");
    await wiped.geth.stop();
    wiped.geth.wipe();
    await wiped.geth.start();
    await expectOneChain(pairs, 12);
  });
});

describe.skipIf(!hasGeth())(needingGeth("a single sequencer with a geth"), () => {
  it("gives its client the blocks again that a crash has cost it, and goes on", {
    timeout: 300_000,
  }, async () => {
    const { cluster, pairs } = await startPairs({ nodeCount: 1 });
    const [pair] = pairs;
    if (pair === undefined) throw new Error("there is one node");
    for (let nonce = 0; nonce < 4; nonce++) await submit(pairs, nonce);
    const leader = await producingLeader(cluster);
    await pair.geth.kill();
    await until("the node notices", () =>
      logLines(leader).some((line) => line.includes("execution failed, retrying")),
    );
    await pair.geth.start();
    for (let nonce = 4; nonce < 8; nonce++) await submit(pairs, nonce);
    await expectOneChain(pairs, 8);
    expect(logLines(leader).some((line) => line.includes("executing stored blocks again"))).toBe(
      true,
    );
  });
});
