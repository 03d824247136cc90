import { describe, expect, it } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import {
  bootstrapEntry,
  changeProblem,
  configurationProblem,
  Membership,
  suffrageOf,
  votersOf,
} from "../../src/raft/membership.ts";
import type { Entry } from "../../src/raft/types.ts";
import { append, Bench, entry } from "./lab/bench.ts";
import { configurationText, parseConfiguration, textCodec } from "./lab/words.ts";

const change = (index: number, servers: string): Entry => entry(1, index, "configuration", servers);

function latest(membership: Membership): string {
  return `${configurationText(membership.latest)} @${membership.latestIndex}`;
}

function committed(membership: Membership): string {
  return `${configurationText(membership.committed)} @${membership.committedIndex}`;
}

describe("bootstrapEntry", () => {
  it("is the same bytes in whatever order the ids are given, and however often", () => {
    const [one, two] = [
      bootstrapEntry(["c", "a", "b"], textCodec),
      bootstrapEntry(["a", "b", "c", "a"], textCodec),
    ];
    expect(one).toEqual(two);
    expect(one).toMatchObject({ index: 1, term: 1, kind: "configuration", appendedAt: null });
  });
});

describe("configurationProblem", () => {
  const server = (id: string, address = `${id}:1`, suffrage: "voter" | "nonvoter" = "voter") => ({
    id,
    address,
    suffrage,
  });

  it.each([
    { servers: [server("a")], problem: null },
    { servers: [server("a"), server("b", "b:1", "nonvoter")], problem: null },
    { servers: [], problem: "there is no voter" },
    { servers: [server("a", "a:1", "nonvoter")], problem: "there is no voter" },
    { servers: [server("")], problem: "a server has no id" },
    { servers: [server("a", "")], problem: "a server has no address" },
    { servers: [server("a"), server("a", "x:1")], problem: "two servers have the same id" },
    { servers: [server("a"), server("b", "a:1")], problem: "two servers have the same address" },
  ])("of $servers.length servers: $problem", ({ servers, problem }) => {
    expect(configurationProblem({ servers })).toBe(problem);
  });
});

describe("changeProblem: one voter at a time (thesis §4.1)", () => {
  const tooMany = "more than one voter would change at once";
  it.each([
    { from: "1 2 3", to: "1 2 3 4", problem: null },
    { from: "1 2 3", to: "1 2", problem: null },
    { from: "1 2 3", to: "1 2 3(nonvoter)", problem: null },
    { from: "1 2 3(nonvoter)", to: "1 2 3", problem: null },
    { from: "1 2 3", to: "1 2 3 4(nonvoter) 5(nonvoter)", problem: null },
    { from: "1 2 3", to: "1 2 3", problem: null },
    { from: "1 2 3", to: "1 2 4", problem: tooMany },
    { from: "1 2 3", to: "1", problem: tooMany },
    { from: "1 2 3", to: "1 2 3 4 5", problem: tooMany },
    { from: "1", to: "1(nonvoter)", problem: "there is no voter" },
  ])("$from to $to: $problem", ({ from, to, problem }) => {
    expect(changeProblem(parseConfiguration(from), parseConfiguration(to))).toBe(problem);
  });
});

describe("a follower", () => {
  it("goes back to the configuration before, when the entry of a newer one is truncated", () => {
    const bench = new Bench();
    const request = append(1, { term: 1, index: 1 });
    bench.receive("2", { ...request, entries: [change(2, "1 2 3 4")] });
    expect(configurationText(bench.core.status.configuration)).toBe("1 2 3 4");
    bench.receive("3", append(2, { term: 1, index: 1 }, [2]));
    expect(configurationText(bench.core.status.configuration)).toBe("1 2 3");
  });
});

describe("Membership", () => {
  it("knows nobody before the first configuration", () => {
    const membership = new Membership(textCodec, null, []);
    expect(votersOf(membership.latest)).toEqual([]);
    expect(suffrageOf(membership.latest, "1")).toBeNull();
  });

  it("takes a configuration on when it is appended, and holds it for committed when it is", () => {
    const membership = new Membership(textCodec, null, [change(1, "1 2 3")]);
    expect(membership.append(change(5, "1 2 3 4"))).toBe(true);
    expect(latest(membership)).toBe("1 2 3 4 @5");
    expect(membership.committedIndex).toBe(0);
    membership.commitThrough(4);
    expect(committed(membership)).toBe("1 2 3 @1");
    membership.commitThrough(5);
    expect(committed(membership)).toBe("1 2 3 4 @5");
  });

  it("passes entries of other kinds by", () => {
    const membership = new Membership(textCodec, null, [change(1, "1 2 3")]);
    expect(membership.append(entry(1, 2, "command", "x"))).toBe(false);
    expect(latest(membership)).toBe("1 2 3 @1");
  });

  it("takes back what is truncated, one or several", () => {
    const membership = new Membership(textCodec, null, [
      change(1, "1 2 3"),
      change(4, "1 2"),
      change(7, "1"),
    ]);
    membership.commitThrough(1);
    membership.truncateFrom(8);
    expect(latest(membership)).toBe("1 @7");
    membership.truncateFrom(3);
    expect(latest(membership)).toBe("1 2 3 @1");
  });

  it("never takes back a committed one", () => {
    const membership = new Membership(textCodec, null, [change(1, "1 2 3")]);
    membership.commitThrough(1);
    expect(() => membership.truncateFrom(1)).toThrow(InvariantError);
  });

  it("begins with the snapshot's, and passes by what the log still holds from before it", () => {
    const snapshot = {
      last: { term: 1, index: 9 },
      configuration: parseConfiguration("1 2 3"),
      configurationIndex: 6,
      data: new Uint8Array(0),
    };
    const entries = [change(4, "1 2"), change(6, "1 2 3"), change(11, "1 2 3 4")];
    const membership = new Membership(textCodec, snapshot, entries);
    expect(committed(membership)).toBe("1 2 3 @6");
    expect(latest(membership)).toBe("1 2 3 4 @11");
    membership.install({ ...snapshot, configurationIndex: 12 });
    expect([latest(membership), committed(membership)]).toEqual(["1 2 3 @12", "1 2 3 @12"]);
  });
});
