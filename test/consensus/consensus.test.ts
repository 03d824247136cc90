/** The consensus thread as the main thread sees it: real threads, files and sockets. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { applyWindowMaxBytes } from "../../src/base/limits.ts";
import { monotonicMs } from "../../src/consensus/shared-lease.ts";
import { TestBench } from "./members.ts";

let bench: TestBench;
beforeEach(() => {
  bench = new TestBench();
});
afterEach(() => bench.clear());

/** A command that tells its number, of a size. */
function command(nth: number, sizeBytes = 4): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  new DataView(bytes.buffer).setUint32(0, nth);
  return bytes;
}

function numberOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

const numbers = (count: number) => Array.from({ length: count }, (_, nth) => nth);

describe("a single sequencer", () => {
  it("commits what it is given, in order, and goes on after a restart", async () => {
    const first = bench.member();
    expect((await first.consensus.start()).listening).toBe(null);
    await first.leads();
    const outcomes = await Promise.all(
      numbers(100).map((nth) => first.consensus.propose(first.term, command(nth))),
    );
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(["committed"]));
    await first.until(() => first.commands.length === 100);
    expect(first.commands.map(numberOf)).toEqual(numbers(100));
    await first.consensus.stop();

    const second = bench.member();
    await second.consensus.start();
    await second.until(() => second.commands.length === 100);
    expect(second.commands.map(numberOf)).toEqual(numbers(100));
    expect(second.term).toBeGreaterThan(first.term);
  });

  it("is heard as long as it works, also by a main thread that stood still, and not missed at its end", async () => {
    let heard = 0;
    const { consensus } = bench.member({}, { measured: () => heard++ });
    await consensus.start();
    await expect.poll(() => heard).toBeGreaterThan(10);
    const stoodStillMs = 3_000;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stoodStillMs);
    expect(consensus.silentMs).toBeLessThan(stoodStillMs);
    await expect.poll(() => consensus.silentMs).toBe(0);
    await consensus.stop();
    expect(consensus.silentMs).toBe(0);
  });

  it("delivers only what comes after the applied index", async () => {
    const first = bench.member();
    await first.consensus.start();
    await first.leads();
    for (const nth of numbers(10)) await first.consensus.propose(first.term, command(nth));
    await first.until(() => first.commands.length === 10);
    const appliedIndex = first.entries.find(
      ({ data }) => data !== null && data.length === 4 && numberOf(data) === 6,
    )?.index;
    await first.consensus.stop();
    const second = bench.member({
      appliedIndex: appliedIndex ?? 0,
      readiness: { isReady: true, appliedHeight: 7, priority: 0 },
    });
    await second.consensus.start();
    await second.until(() => second.commands.length === 3);
    expect(second.commands.map(numberOf)).toEqual([7, 8, 9]);
  });

  it("refuses a proposal for a term that it does not lead", async () => {
    const member = bench.member();
    await member.consensus.start();
    await member.leads();
    const outcome = await member.consensus.propose(member.term + 1, command(0));
    expect(outcome).toMatchObject({ kind: "notLeader", leaderId: "a" });
  });

  it("leaves the proposer its bytes", async () => {
    const member = bench.member();
    await member.consensus.start();
    await member.leads();
    const bytes = command(7);
    const proposed = member.consensus.propose(member.term, bytes);
    bytes.fill(0xff);
    await proposed;
    await member.until(() => member.commands.length === 1);
    expect(bytes.length).toBe(4);
    expect(member.commands.map(numberOf)).toEqual([7]);
  });

  it("shows its lease without asking the thread", async () => {
    const member = bench.member();
    await member.consensus.start();
    await member.leads();
    expect(member.consensus.holdsLease(member.term)).toBe(true);
    expect(member.consensus.holdsLease(member.term + 1)).toBe(false);
    expect(await member.consensus.confirmLeadership()).toBeGreaterThan(0);
  });

  it("settles every proposal that is pending when it stops", async () => {
    const member = bench.member();
    await member.consensus.start();
    await member.leads();
    const proposals = numbers(20).map((nth) =>
      member.consensus.propose(member.term, command(nth, 256 * 1024)),
    );
    const stopped = member.consensus.stop();
    for (const { kind } of await Promise.all(proposals)) {
      expect(["committed", "notLeader"]).toContain(kind);
    }
    await stopped;
    await member.consensus.stop();
    expect(await member.consensus.propose(member.term, command(0))).toEqual({
      kind: "notLeader",
      leaderId: null,
    });
    expect(await member.consensus.confirmLeadership()).toBeNull();
    expect(await member.consensus.view()).toBeNull();
  });

  it("may be stopped while it starts", async () => {
    const member = bench.member();
    const started = member.consensus.start();
    await member.consensus.stop();
    await started;
    const next = bench.member();
    await next.consensus.start();
  });
});

describe("P8: committed entries are never dropped, and never pile up", () => {
  const sizeBytes = 1024 * 1024;
  const count = 40;

  it("hands over at most a window, and the rest as there is room", async () => {
    const member = bench.member();
    member.appliesAtOnce = false;
    await member.consensus.start();
    await member.leads();
    const outcomes = await Promise.all(
      numbers(count).map((nth) => member.consensus.propose(member.term, command(nth, sizeBytes))),
    );
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(["committed"]));
    await member.consensus.view(); // whatever was posted before its answer has arrived
    const delivered = member.commands.length;
    expect(delivered).toBeGreaterThan(0);
    expect(delivered * sizeBytes).toBeLessThanOrEqual(applyWindowMaxBytes + sizeBytes);
    member.appliesAtOnce = true;
    member.applyAll();
    await member.until(() => member.commands.length === count);
    expect(member.commands.map(numberOf)).toEqual(numbers(count));
  });

  it("goes on where small entries are applied one by one", async () => {
    const member = bench.member();
    member.appliesAtOnce = false;
    await member.consensus.start();
    await member.leads();
    const small = 3_000;
    const proposals = numbers(small).map((nth) =>
      member.consensus.propose(member.term, command(nth, 16 * 1024)),
    );
    let applied = 0;
    const applyOneByOne = async (): Promise<void> => {
      while (applied < member.entries.length || member.commands.length < small) {
        await member.until(() => member.entries.length > applied);
        const entry = member.entries[applied++];
        if (entry !== undefined) member.consensus.applied(entry.index);
      }
    };
    await Promise.all([applyOneByOne(), ...proposals]);
    expect(member.commands.map(numberOf)).toEqual(numbers(small));
  });
});

describe("a cluster of three", () => {
  it("commits on all members, in one order", async () => {
    const members = await bench.cluster();
    const leader = await bench.leaderOf(members);
    await Promise.all(
      numbers(200).map((nth) => leader.consensus.propose(leader.term, command(nth))),
    );
    await Promise.all(members.map((member) => member.until(() => member.commands.length === 200)));
    for (const member of members) expect(member.commands.map(numberOf)).toEqual(numbers(200));
  });

  it("P13: keeps its leader while the main thread stands still", async () => {
    // What else this machine does must not stop the other threads for that long.
    const timeouts = {
      heartbeatTimeoutMs: 1_000,
      electionTimeoutMs: 1_000,
      leaderLeaseTimeoutMs: 500,
    };
    const members = await bench.cluster({}, timeouts);
    const leader = await bench.leaderOf(members);
    const { term } = leader;
    const blockedMs = 2_500; // longer than any follower waits for a heartbeat
    const endMs = monotonicMs() + blockedMs;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockedMs);
    expect(monotonicMs()).toBeGreaterThanOrEqual(endMs - 1);
    const outcome = await leader.consensus.propose(term, command(1));
    expect(outcome).toMatchObject({ kind: "committed", term });
    expect(members.map(({ role }) => role?.term)).toEqual([term, term, term]);
  });

  it("P10: a member that is halted leads no more at once, whatever its main thread still waits for", async () => {
    const members = await bench.cluster();
    const leader = await bench.leaderOf(members);
    const { term } = leader;
    leader.consensus.halt();
    const blockedMs = 3_000; // as by a disk, on the way out of the process
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockedMs);
    const others = members.filter((member) => member !== leader);
    await Promise.all(
      others.map((member) =>
        member.until(() => member.term > term && member.role?.hasJoined === true),
      ),
    );
    expect((await bench.leaderOf(others)).id).not.toBe(leader.id);
    expect(leader.failures).toEqual([]);
  });

  it("lets a member ask another, and hears why it cannot", async () => {
    const members = await bench.cluster({
      peerAsks: (peerId, method, body) =>
        Promise.resolve({ status: 200, body: Buffer.from(`${peerId} ${method} ${body.length}`) }),
    });
    const [asker] = members;
    await bench.leaderOf(members);
    const answer = await asker?.consensus.askPeer("b", "greet", new Uint8Array(3), 5_000);
    expect(answer).toMatchObject({ kind: "answered", status: 200 });
    if (answer?.kind === "answered") {
      expect(new TextDecoder().decode(answer.body)).toBe("a greet 3");
    }
    expect(await asker?.consensus.askPeer("nobody", "greet", new Uint8Array(), 5_000)).toEqual({
      kind: "failed",
      reason: expect.stringContaining("nobody"),
      failure: "notSent",
    });
  });

  it("hands leadership to the member it names", async () => {
    const members = await bench.cluster();
    const leader = await bench.leaderOf(members);
    const target = members.find((member) => member !== leader);
    const ask = () => leader.consensus.transferLeadership(target?.id ?? null);
    ask();
    // And again: a machine that lets a thread wait may make an attempt fail.
    const asking = setInterval(ask, 1_000);
    await target?.leads();
    clearInterval(asking);
    await leader.until(() => leader.role?.leaderId === target?.id);
    expect(leader.consensus.holdsLease(leader.term)).toBe(false);
  });
});
