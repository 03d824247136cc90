/** The files that a node finds in its home, and what it has to say of them. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { LocalCluster } from "../../src/devnet/local-cluster.ts";
import { homeLayout } from "../../src/home/layout.ts";
import { type Home, openHome } from "../../src/node/open-home.ts";

const directory = mkdtempSync(join(tmpdir(), "evm-home-"));
let path: string;
afterAll(() => rmSync(directory, { recursive: true, force: true }));

beforeAll(async () => {
  const cluster = await LocalCluster.create({ directory, nodeCount: 1 });
  path = cluster.node("node-1").place.home;
});

function open(): Promise<Home> {
  const { config } = loadConfig({
    home: path,
    flags: { settings: [], problems: [] },
    environment: {},
    workingDirectory: directory,
  });
  return openHome(config, "devnet");
}

it("one that is complete needs no word", async () => {
  expect((await open()).warnings).toEqual([]);
});

it("a node key that was not there is made once, and the operator hears who the node is now", async () => {
  const { nodeKeyFile } = homeLayout(path);
  const before = await open();
  rmSync(nodeKeyFile);
  const { nodeKey, warnings } = await open();
  expect(nodeKey.peerId).not.toBe(before.nodeKey.peerId);
  expect(warnings).toEqual([
    `${nodeKeyFile} did not exist: a new one was made, and this node's peer id is ${nodeKey.peerId}. Where the ` +
      "p2p.peers of other nodes name it by another one, correct them, or bring back the old file and start again",
  ]);
  expect(await open()).toMatchObject({ nodeKey: { peerId: nodeKey.peerId }, warnings: [] });
});
