/** A node compares what all members must have in common with one of them. */

import { expect, it } from "vitest";
import { ConfigError } from "../../src/config/problem.ts";
import { compareSettings, type SharedSettings } from "../../src/node/shared-settings.ts";
import type { PeerReply } from "../../src/sequencer/ports.ts";

const never = new AbortController().signal;
const own = { txIdentityWindow: 5_000, genesis: "chain a", height: 0 };

const answered = (text: string, status = 200): PeerReply => ({
  kind: "answered",
  status,
  body: new TextEncoder().encode(text),
});
const away: PeerReply = { kind: "failed", reason: "no answer", failure: "unanswered" };
const foreign: PeerReply = { kind: "failed", reason: "hangs up", failure: "foreign" };

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

const same = answered('{"txIdentityWindow":5000}');
const other = answered('{"txIdentityWindow":10000}');

/** Compares, and returns who was said to differ. */
async function compared(
  { ask, ids }: ReturnType<typeof members>,
  { signal = never, settings = own }: { signal?: AbortSignal; settings?: SharedSettings } = {},
): Promise<readonly string[]> {
  const differing: string[] = [];
  await compareSettings(() => settings, ask, ids, {
    signal,
    onDifference: (peerId, { own, theirs }) => differing.push(`${peerId}: ${own} ${theirs}`),
  });
  return differing;
}

it("is content once a majority has the same, and asks again who was away", async () => {
  const three = members({ b: [away], c: [same], d: [same] });
  expect(await compared(three)).toEqual([]);
  expect(three.asked).toEqual(["b", "c", "d"]);
  const later = members({ b: [away, same], c: [away] });
  expect(await compared(later)).toEqual([]);
  expect(later.asked).toEqual(["b", "c", "b"]);
});

it("is not stopped by one member that is wrong, and says who it is", async () => {
  expect(await compared(members({ b: [other], c: [away, same] }))).toEqual(["b: 5000 10000"]);
});

it("does not go on where a majority has others, and says both", async () => {
  const comparing = compared(members({ b: [other], c: [away, other] }));
  await expect(comparing).rejects.toThrow(ConfigError);
  await expect(comparing).rejects.toThrow(
    /cluster\.tx_identity_window: is 5000 here and 10000 on b, c/,
  );
});

it.each([
  ["the third is away", { b: [other], c: [away] }],
  ["there is no third", { b: [other] }],
  ["the others are of two minds", { b: [other], c: [same], d: [other] }],
])("does not go on where nobody can tell who is right, since %s", async (_why, replies) => {
  await expect(compared(members(replies))).rejects.toThrow(/is 5000 here and 10000 on b/);
});

it.each([
  ["other programs", { b: [foreign], c: [foreign] }],
  ["versions that do not know the question", { b: [answered("", 404)] }],
  ["members that answer something else", { b: [answered("[]")], c: [answered("no JSON")] }],
  ["nobody", {}],
])("has nothing to compare with where the others are %s", async (_who, replies) => {
  expect(await compared(members(replies))).toEqual([]);
});

const of = (genesis: string, height: number) =>
  answered(JSON.stringify({ txIdentityWindow: 5_000, genesis, height }));

it.each<[what: string, ownHeight: number, replies: Record<string, readonly PeerReply[]>]>([
  ["the others have blocks of another", 0, { b: [of("chain b", 9)], c: [away] }],
  ["most have another, and nobody has blocks", 0, { b: [of("chain b", 0)], c: [of("chain b", 0)] }],
  ["most have blocks of another", 7, { b: [of("chain b", 9)], c: [of("chain b", 9)] }],
  ["nobody can tell whose is right", 7, { b: [of("chain b", 9)], c: [away] }],
])("does not go on with a genesis of its own where %s", async (_what, height, replies) => {
  const comparing = compared(members(replies), { settings: { ...own, height } });
  await expect(comparing).rejects.toThrow(
    /genesis\.json differs between members: chain a here and chain b on b/,
  );
});

it.each<[what: string, ownHeight: number, replies: Record<string, readonly PeerReply[]>]>([
  ["has no blocks, and this node has", 7, { b: [of("chain b", 0)], c: [away, of("chain a", 7)] }],
  ["is one of three", 0, { b: [of("chain b", 0)], c: [of("chain a", 0)] }],
  ["is of an older version, and silent on it", 0, { b: [same], c: [away] }],
])("goes on where a member with another genesis %s", async (_what, height, replies) => {
  await compared(members(replies), { settings: { ...own, height } });
});

it("ends with the node", async () => {
  await compared(members({ b: [away] }), { signal: AbortSignal.timeout(20) });
  const silent = { ...members({ b: [] }), ask: () => new Promise<PeerReply>(() => {}) };
  await compared(silent, { signal: AbortSignal.timeout(20) });
});
