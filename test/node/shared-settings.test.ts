/** A node compares what all members must have in common with one of them. */

import { expect, it } from "vitest";
import { ConfigError } from "../../src/config/problem.ts";
import {
  compareSettings,
  type SharedSettings,
  sharedAspects,
} from "../../src/node/shared-settings.ts";
import type { PeerReply } from "../../src/sequencer/ports.ts";

const never = new AbortController().signal;
const genesisOf = (chainId: string, hasBlocks: boolean) => ({
  id: chainId.repeat(64),
  chainId,
  hasBlocks,
});
const own: SharedSettings = { txIdentityWindow: 5_000, genesis: genesisOf("a", false) };

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
  {
    signal = never,
    settings = own,
    aspect = sharedAspects.txIdentityWindow,
  }: {
    signal?: AbortSignal;
    settings?: SharedSettings;
    aspect?: (typeof sharedAspects)["genesis"];
  } = {},
): Promise<readonly string[]> {
  const differing: string[] = [];
  await compareSettings(aspect, () => settings, ask, ids, {
    signal,
    onDifference: (peerId, ours, theirs) => differing.push(`${peerId}: ${ours} ${theirs}`),
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

const of = (chainId: string, hasBlocks: boolean) =>
  answered(JSON.stringify({ txIdentityWindow: 5_000, genesis: genesisOf(chainId, hasBlocks) }));
const comparedGenesis = (hasBlocks: boolean, replies: Record<string, readonly PeerReply[]>) =>
  compared(members(replies), {
    settings: { ...own, genesis: genesisOf("a", hasBlocks) },
    aspect: sharedAspects.genesis,
  });

it.each<[where: string, hasBlocks: boolean, replies: Record<string, readonly PeerReply[]>]>([
  ["the others have blocks of another", false, { b: [of("b", true)], c: [away] }],
  ["most have another, and nobody has blocks", false, { b: [of("b", false)], c: [of("b", false)] }],
  ["most have blocks of another", true, { b: [of("b", true)], c: [of("b", true)] }],
  ["nobody has blocks, and nobody can tell", false, { b: [of("b", false)], c: [away] }],
])("ends with a genesis of its own where %s", async (_where, hasBlocks, replies) => {
  await expect(comparedGenesis(hasBlocks, replies)).rejects.toThrow(
    /genesis\.json differs between members: chain "a" \("aaaaaaaa"\) here and chain "b" \("bbbbbbbb"\) on b/,
  );
});

it.each<[where: string, hasBlocks: boolean, replies: Record<string, readonly PeerReply[]>]>([
  ["it has no blocks, and this node has", true, { b: [of("b", false)], c: [of("b", false)] }],
  ["it is one of three", false, { b: [of("b", false)], c: [of("a", false)] }],
  ["it is one of three, and has built alone", false, { b: [of("b", true)], c: [of("a", false)] }],
  [
    "it is asked first, of five",
    false,
    {
      b: [of("b", true)],
      c: [away],
      d: [away, of("a", true)],
      e: [of("a", true)],
    },
  ],
  [
    "both have blocks, and the third is away for long",
    true,
    { b: [of("b", true)], c: [away, away, away, away, of("a", true)] },
  ],
  ["it says nothing of it, being of an older version", false, { b: [same], c: [same] }],
])("goes on beside a member with another genesis where %s", async (_where, hasBlocks, replies) => {
  await comparedGenesis(hasBlocks, replies);
});

it.each([
  ["is longer than a chain's name", { ...genesisOf("b", true), chainId: "b".repeat(2_000) }],
  ["has no identity", { ...genesisOf("b", true), id: "b" }],
])("takes no answer that %s", async (_what, told) => {
  const reply = answered(JSON.stringify({ txIdentityWindow: 5_000, genesis: told }));
  expect(await comparedGenesis(false, { b: [reply], c: [reply] })).toEqual([]);
});

it("ends with the node", async () => {
  await compared(members({ b: [away] }), { signal: AbortSignal.timeout(20) });
  const silent = { ...members({ b: [] }), ask: () => new Promise<PeerReply>(() => {}) };
  await compared(silent, { signal: AbortSignal.timeout(20) });
});
