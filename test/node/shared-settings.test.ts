/** A node compares what all members must have in common with one of them. */

import { expect, it } from "vitest";
import { ConfigError } from "../../src/config/problem.ts";
import { compareSettings } from "../../src/node/shared-settings.ts";
import type { PeerReply } from "../../src/sequencer/ports.ts";

const never = new AbortController().signal;
const own = { txIdentityWindow: 5_000 };

const answered = (text: string, status = 200): PeerReply => ({
  kind: "answered",
  status,
  body: new TextEncoder().encode(text),
});
const away: PeerReply = { kind: "failed", reason: "no answer", isForeign: false };
const foreign: PeerReply = { kind: "failed", reason: "hangs up", isForeign: true };

/** What each member answers, one after the other; the last again and again. */
function members(replies: Record<string, readonly PeerReply[]>) {
  const asked: string[] = [];
  const left = new Map(Object.entries(replies).map(([id, list]) => [id, [...list]]));
  const ask = async (peerId: string): Promise<PeerReply> => {
    asked.push(peerId);
    const list = left.get(peerId) ?? [];
    return (list.length > 1 ? list.shift() : list[0]) ?? away;
  };
  return { asked, ask, ids: [...left.keys()] };
}

it("is content with the first one that has the same", async () => {
  const { asked, ask, ids } = members({
    b: [away],
    c: [answered('{"txIdentityWindow":5000}')],
    d: [answered('{"txIdentityWindow":1}')],
  });
  await compareSettings(own, ask, ids, never);
  expect(asked).toEqual(["b", "c"]);
});

it("does not go on where one has others, and says both", async () => {
  const { ask, ids } = members({ b: [away, answered('{"txIdentityWindow":10000}')] });
  const comparing = compareSettings(own, ask, ids, never);
  await expect(comparing).rejects.toThrow(ConfigError);
  await expect(comparing).rejects.toThrow(
    /cluster\.tx_identity_window: is 5000 here and 10000 on b/,
  );
});

it.each([
  ["other programs", { b: [foreign], c: [foreign] }],
  ["versions that do not know the question", { b: [answered("", 404)] }],
  ["members that answer something else", { b: [answered("[]")], c: [answered("no JSON")] }],
  ["nobody", {}],
])("has nothing to compare with where the others are %s", async (_who, replies) => {
  const { ask, ids } = members(replies);
  await compareSettings(own, ask, ids, never);
});

it("ends with the node", async () => {
  const { ask, ids } = members({ b: [away] });
  await compareSettings(own, ask, ids, AbortSignal.timeout(20));
  const silent = () => new Promise<PeerReply>(() => {});
  await compareSettings(own, silent, ids, AbortSignal.timeout(20));
});
