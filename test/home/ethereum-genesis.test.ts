import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { HomeError } from "../../src/home/errors.ts";
import { parseEthereumGenesis } from "../../src/home/ethereum-genesis.ts";

const example = JSON.parse(
  readFileSync(new URL("../../config/evm-genesis.json", import.meta.url), "utf8"),
);

function parse(genesis: unknown) {
  return parseEthereumGenesis("/g.json", JSON.stringify(genesis));
}

it("the example names its chain, and a time before which there is no block", () => {
  expect(parse(example)).toEqual({ chainId: "1234", timeNs: 0n });
  expect(parse({ ...example, timestamp: "0x10" }).timeNs).toBe(16_000_000_000n);
  expect(parse({ ...example, timestamp: 17 }).timeNs).toBe(17_000_000_000n);
});

const { chainId: _, ...withoutChainId } = example.config;
const { pragueTime: __, ...withoutPrague } = example.config;

it.each([
  ["no chain id", { ...example, config: withoutChainId }, "config.chainId is missing"],
  ["no config", { alloc: {} }, "config is missing"],
  ["genesis.json of this program", { chain_id: "a", initial_height: 1 }, "config is missing"],
  ["no Prague", { ...example, config: withoutPrague }, "config.pragueTime must be 0"],
  [
    "a later Cancun",
    { ...example, config: { ...example.config, cancunTime: 5 } },
    "config.cancunTime must be 0",
  ],
  ["a time that is none", { ...example, timestamp: "soon" }, "timestamp is missing, or not"],
])("is refused with %s", (_what, genesis, sentence) => {
  expect(() => parse(genesis)).toThrow(HomeError);
  expect(() => parse(genesis)).toThrow(sentence);
});

it("is refused where it is no JSON", () => {
  expect(() => parseEthereumGenesis("/g.json", "{")).toThrow("/g.json is not JSON");
});
