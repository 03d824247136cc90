import { describe, expect, it } from "vitest";
import type { ConsensusView } from "../../src/consensus/messages.ts";
import { waitingStatus } from "../../src/consensus/startup.ts";
import { clusterView, decodeClusterView } from "../../src/node/cluster-view.ts";

const member = {
  id: "node-1",
  address: "10.0.0.1:5001",
  role: "leader",
  suffrage: "voter",
  health: "Healthy",
  lastHeartbeat: null,
  rttMs: 0.5,
  matchIndex: 7,
  height: 5,
};
const view = { leaderId: "node-1", term: 2, nodes: [member], commitIndex: 7, lastApplied: 7 };

const bytes = (text: string) => new TextEncoder().encode(text);

it("a leader's view of the cluster is read as it was sent", () => {
  expect(decodeClusterView(bytes(JSON.stringify(view)))).toEqual(view);
});

it.each([
  ["no JSON", "{"],
  ["of another shape", JSON.stringify({ ...view, nodes: [{ id: "node-1" }] })],
  ["with a role that is none", JSON.stringify({ ...view, nodes: [{ ...member, role: "king" }] })],
])("an answer that is %s is no view", (_what, text) => {
  expect(decodeClusterView(bytes(text))).toBeNull();
});

describe("by a node that does not lead", () => {
  const heartbeatTimeoutMs = 100;
  const electionTimeoutMs = 400;
  const servers = ["a", "b"].map((id) => ({ id, address: id, suffrage: "voter" as const }));

  /** What a says of b. */
  function sees(
    leader: { readonly leaderId: string | null; readonly leaderSilentMs: number },
    peer: { readonly isConnected: boolean; readonly silentMs: number | null },
  ) {
    const status = { ...waitingStatus("a"), ...leader, configuration: { servers } };
    const traffic = { smoothedRttMs: null, lastError: null, sentBytes: 0, receivedBytes: 0 };
    const seen: ConsensusView = {
      status,
      waitsFor: null,
      peers: [{ id: "b", ...peer, ...traffic }],
    };
    const facts = { view: seen, addresses: new Map(), appliedIndex: 0, height: 0, nowMs: 1e12 };
    const { nodes } = clusterView({ ...facts, heartbeatTimeoutMs, electionTimeoutMs });
    return nodes.find(({ id }) => id === "b")?.health;
  }

  it("before it has a log, the members are those of its configuration", () => {
    const seen = { status: waitingStatus("a"), waitsFor: "the others are asked", peers: [] };
    const addresses = new Map([
      ["a", "10.0.0.1:1"],
      ["b", "10.0.0.2:1"],
    ]);
    const facts = { view: seen, addresses, appliedIndex: 0, height: 0, nowMs: 1e12 };
    const { nodes } = clusterView({ ...facts, heartbeatTimeoutMs, electionTimeoutMs });
    expect(
      nodes.map(({ id, address, suffrage, health }) => [id, address, suffrage, health]),
    ).toEqual([
      ["a", "10.0.0.1:1", "voter", "Healthy"],
      ["b", "10.0.0.2:1", "voter", "Unreachable"],
    ]);
  });

  it.each([
    [99, "Healthy"],
    [100, "Degraded"],
    [400, "Unreachable"],
  ])("a leader that is silent for %i ms is %s, whatever connection is open", (silentMs, health) => {
    const peer = { isConnected: true, silentMs: 1 };
    expect(sees({ leaderId: "b", leaderSilentMs: silentMs }, peer)).toBe(health);
  });

  it.each([
    ["has just answered", true, 799, "Healthy"],
    ["has an open connection and does not answer any more", true, 800, "Degraded"],
    ["has an open connection and never answered", true, null, "Degraded"],
    ["has no connection", false, 10, "Unreachable"],
  ])("another that %s", (_what, isConnected, silentMs, health) => {
    expect(sees({ leaderId: null, leaderSilentMs: 500 }, { isConnected, silentMs })).toBe(health);
  });
});
