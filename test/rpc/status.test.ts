/** `GET /status`: CometBFT's shape and what stands beside it. */

import { afterEach, beforeEach, expect, it } from "vitest";
import { type Harness, putKey, startServer } from "./harness.ts";

let harness: Harness;

beforeEach(async () => {
  harness = await startServer();
  await putKey(harness, "greeting", "hello");
});
afterEach(() => harness.stop());

async function get(path: string): Promise<unknown> {
  return (await fetch(harness.url + path)).json();
}

it("has CometBFT's fields, raft_info, and the short ones on top", async () => {
  await putKey(harness, "second", "block");
  expect(await get("/status")).toMatchInlineSnapshot(`
      {
        "blockHeight": 2,
        "id": -1,
        "jsonrpc": "2.0",
        "nodeId": "node-1",
        "peers": 3,
        "result": {
          "node_info": {
            "channels": "",
            "id": "12D3KooWtest",
            "listen_addr": "/ip4/0.0.0.0/tcp/7676",
            "moniker": "host-a",
            "network": "test-chain",
            "other": {
              "rpc_address": "tcp://0.0.0.0:26657",
              "tx_index": "on",
            },
            "protocol_version": {
              "app": "0",
              "block": "11",
              "p2p": "8",
            },
            "version": "0.1.0",
          },
          "raft_info": {
            "applied_index": 41,
            "commit_index": 42,
            "first_log_index": 7,
            "last_log_index": 43,
            "leader_id": "node-1",
            "node_id": "node-1",
            "role": "leader",
            "state": "producing",
            "term": 3,
          },
          "sync_info": {
            "catching_up": false,
            "earliest_app_hash": "1DF09D352ACA0411724118D4A86EC74E87A24F2D39DB7ADED76BAD4C4C601457",
            "earliest_block_hash": "310B2481ED85BADE6713EC928B58CC3E628311A0DF46D3828B8C3F4A5A51858D",
            "earliest_block_height": "1",
            "earliest_block_time": "2025-06-15T15:06:41.0000005Z",
            "latest_app_hash": "88A41F90A8A49DE13572903708F22389170894E9100ED83E2700279EDF30AD3C",
            "latest_block_hash": "1BBEEAD3BD5DBAB447912EB161EBE6CD5E29E54E6E4F57E072D85ECAE0C1BDAC",
            "latest_block_height": "2",
            "latest_block_time": "2025-06-15T15:06:42.000001Z",
          },
          "validator_info": {
            "address": "ABCD",
            "pub_key": {
              "type": "tendermint/PubKeyEd25519",
              "value": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
            },
            "voting_power": "1",
          },
        },
        "role": "leader",
        "status": "running",
        "term": 3,
      }
    `);
});

it("before the first block says so as CometBFT does", async () => {
  const empty = await startServer();
  const answer: unknown = await (await fetch(`${empty.url}/status`)).json();
  await empty.stop();
  expect(answer).toMatchObject({
    result: {
      sync_info: {
        latest_block_hash: "",
        latest_block_height: "0",
        earliest_block_height: "0",
        earliest_block_time: "0001-01-01T00:00:00Z",
      },
    },
    blockHeight: 0,
  });
});

it("of a single sequencer has no Raft, and it leads", async () => {
  harness.node.raft = null;
  expect(await get("/status")).toMatchObject({
    result: { raft_info: null, validator_info: { voting_power: "1" } },
    role: "leader",
    peers: 1,
  });
});

it("costs no block read once the earliest block is known", async () => {
  await get("/status");
  const reads = harness.node.blocks.reads;
  await get("/status");
  expect(harness.node.blocks.reads).toBe(reads);
});
