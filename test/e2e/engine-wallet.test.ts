/** viem, as a wallet or a dapp has it, at the RPC of any node: one URL for reading and for sending. */

import {
  createPublicClient,
  createWalletClient,
  defineChain,
  type Hash,
  http,
  numberToHex,
  parseEther,
  size,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { describe, expect, it } from "vitest";
import { hasGeth, needingGeth } from "../geth/binary.ts";
import { exampleGenesis } from "../geth/geth.ts";
import { untilAllFollow } from "./harness/cluster.ts";
import { auditClients, type Pair, startPairs } from "./harness/engine-cluster.ts";
import { until } from "./harness/until.ts";

/** The account that the example genesis gives a balance; its key is known to everybody. */
const account = privateKeyToAccount(
  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
);
const receiver = "0x1111111111111111111111111111111111111111";

/** Keeps the word that it is called with, and returns it when it is called with nothing. */
const runtime = "3615600c57600035600055005b60005460005260206000f3";
const contract = `0x6018600c60003960186000f3${runtime}` as const;

function walletAt({ node }: Pair) {
  const chain = defineChain({
    id: exampleGenesis.config.chainId,
    name: "test",
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [node.rpcUrl] } },
  });
  const options = { chain, transport: http(), pollingInterval: 200, cacheTime: 0 } as const;
  return {
    wallet: createWalletClient({ ...options, account }),
    reader: createPublicClient(options),
  };
}

describe.skipIf(!hasGeth())(needingGeth("a wallet"), () => {
  it("sends by one node, deploys by another, reads by a third, and is refused in words that it knows", {
    timeout: 240_000,
  }, async () => {
    const { cluster, pairs } = await startPairs();
    await untilAllFollow(cluster);
    const [a, b, c] = pairs.map(walletAt);
    if (a === undefined || b === undefined || c === undefined) throw new Error("three nodes");
    // By all of them: each has executed the block by then, and knows the next nonce.
    const mined = async (hash: Hash) => {
      const [receipt, ...others] = await Promise.all([
        c.reader.waitForTransactionReceipt({ hash }),
        a.reader.waitForTransactionReceipt({ hash }),
        b.reader.waitForTransactionReceipt({ hash }),
      ]);
      expect(receipt.status).toBe("success");
      for (const other of others) expect(other.blockHash).toBe(receipt.blockHash);
      return receipt;
    };

    // Nonce, gas and fees come from the node; the second nonce from what waits there.
    const first = await a.wallet.sendTransaction({ to: receiver, value: parseEther("1") });
    const second = await a.wallet.sendTransaction({ to: receiver, value: parseEther("2") });
    expect((await a.reader.getTransaction({ hash: second })).nonce).toBe(1);
    await Promise.all([mined(first), mined(second)]);

    const { contractAddress } = await mined(await b.wallet.sendTransaction({ data: contract }));
    if (!contractAddress) throw new Error("a deployment has an address");
    const word = numberToHex(42, { size: 32 });
    await mined(await c.wallet.sendTransaction({ to: contractAddress, data: word }));
    for (const { reader } of [a, b, c]) {
      expect(size((await reader.getCode({ address: contractAddress })) ?? "0x")).toBe(24);
      expect((await reader.call({ to: contractAddress })).data).toBe(word);
      expect(await reader.getBalance({ address: receiver })).toBe(parseEther("3"));
    }
    expect(await auditClients(pairs)).toHaveLength(4);

    const again = b.wallet.sendTransaction({ to: receiver, value: 2n, nonce: 0, gas: 21_000n });
    await expect(again).rejects.toThrow(/[Nn]once .* is lower than the current nonce/s);
    const value = parseEther("100000000");
    const tooMuch = b.wallet.sendTransaction({ to: receiver, value, gas: 21_000n });
    await expect(tooMuch).rejects.toThrow(/total cost .* exceeds the balance/s);
    // Nothing of it is kept, on no node.
    for (const { node } of pairs) {
      await until(`nothing waits at ${node.id}`, async () => {
        const metrics = await (await fetch(node.metricsUrl)).text();
        return /^evnode_sequencer_queue_txs\{.*\} 0$/m.test(metrics);
      });
    }
  });
});
