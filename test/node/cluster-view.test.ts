import { expect, it } from "vitest";
import { decodeClusterView } from "../../src/node/cluster-view.ts";

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
