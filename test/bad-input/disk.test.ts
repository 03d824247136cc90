/**
 * Disks that are full or read-only (P7, P12): the node stops with 74 and a sentence, has acknowledged
 * nothing untrue, and goes on with the chain once there is room. Skipped where mounting is not allowed.
 */

import { readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, expect, it } from "vitest";
import { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { answerOf } from "../e2e/harness/cluster.ts";
import { commit, lazy, stoppedChain, temporaryFolder, tryCommit } from "./harness/homes.ts";
import { canMount, Mount } from "./harness/mounts.ts";
import { evm } from "./harness/start-once.ts";

const folder = temporaryFolder();
const mounts: Mount[] = [];
const nodes: LocalNode[] = [];

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop(0)));
  for (const mount of mounts.splice(0)) mount.unmount();
});

afterAll(() => folder.remove());

/** A node refuses to write into the last 64 MiB: below that it must have stopped already. */
const leftBytes = 8 * 1024 * 1024;

it.skipIf(!canMount)(
  "a full disk stops the node with 74, and costs nothing that it said (needs mounts)",
  async () => {
    const mount = Mount.small(join(folder.path, "small"), 120);
    mounts.push(mount);
    const node = await lonelyNode(mount.path);
    await node.start();
    await commit(node, "before=1");

    const acknowledged: number[] = [];
    const { bavail, bsize } = statfsSync(mount.path);
    const filler = join(mount.path, "filler");
    writeFileSync(filler, new Uint8Array(bavail * bsize - leftBytes));
    for (let nth = 1; node.isRunning && nth <= 500; nth++) {
      if ((await tryCommit(node, `full-${nth}=1`)) !== null) acknowledged.push(nth);
    }
    expect(await node.exited).toMatchObject({ code: 74 });
    expect(readFileSync(node.logFile, "utf8")).toMatch(
      /evm: The disk of \S+ is full: [\d.]+ MiB are free, and [\d.]+ MiB are needed\. Free some space/,
    );

    // Without room it does not come up again, and says the same.
    const second = await evm(["start", `--home=${node.place.home}`], passphraseOf(node));
    expect(second, second.said).toMatchObject({ code: 74 });
    expect(second.said).toMatch(/disk of \S+ is full/);

    // Nor where not a byte is left, of which the files of a start take some.
    const last = join(mount.path, "last");
    expect(() => writeFileSync(last, new Uint8Array(2 * leftBytes))).toThrow("ENOSPC");
    const third = await evm(["start", `--home=${node.place.home}`], passphraseOf(node));
    expect(third, third.said).toMatchObject({ code: 74 });
    expect(third.said).toMatch(/disk\b.* is full.*Free some space/);

    rmSync(filler);
    rmSync(last);
    await node.start();
    const height = await commit(node, "after=1");
    expect(height).toBeGreaterThan(acknowledged.length + 1);
    for (const nth of acknowledged) {
      const answer = await answerOf(node, `/state/full-${nth}`);
      expect(answer, `full-${nth}`).toMatchObject({ status: 200 });
    }
    expect(await node.stop(25_000)).toMatchObject({ code: 0 });
  },
);

it.skipIf(!canMount)(
  "a read-only disk is refused with 74, and the chain goes on later (needs mounts)",
  async () => {
    const node = await stoppedChain(join(folder.path, "chain"), ["a=1"]);
    nodes.push(node);
    const { home } = node.place;
    const mount = Mount.readOnly(home);
    mounts.push(mount);
    const refused = await evm(["start", `--home=${home}`], passphraseOf(node));
    expect(refused, refused.said).toMatchObject({ code: 74 });
    expect(refused.said).toMatch(/\(EROFS\)/);
    expect(refused.said).toMatch(/read-write|read-only|writable/);
    expect(refused.said).not.toMatch(/^ {4}at /m);
    mount.unmount();
    await node.start();
    await commit(node, "b=2");
    expect(await node.stop(25_000)).toMatchObject({ code: 0 });
  },
);

async function lonelyNode(directory: string): Promise<LocalNode> {
  const cluster = await LocalCluster.create({ directory, nodeCount: 1, settings: lazy });
  const node = cluster.node("node-1");
  nodes.push(node);
  return node;
}

function passphraseOf({ place }: LocalNode): Readonly<Record<string, string>> {
  return { EV_SIGNER_PASSPHRASE: place.passphrase };
}
