import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { buildChain, MemoryBlocks } from "./chain.ts";
import { connectedTo, createNode, of, peerIdOf, serving, until } from "./nodes.ts";

const blocks = new MemoryBlocks(buildChain({ length: 3 }));

describe("a host", () => {
  it("tells where it listens and who is connected, and says hello and goodbye", async () => {
    const server = await serving(1, blocks);
    const node = await connectedTo([server]);
    const [address] = server.host.addresses;
    expect(address).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/[1-9]\d*\/p2p\/12D3KooW/);
    expect(of(server, "listening")).toEqual([{ kind: "listening", addresses: [address] }]);
    const [peer] = node.host.peers;
    expect(peer).toMatchObject({ peerId: server.host.peerId, address, direction: "outbound" });
    expect(Date.now() - (peer?.connectedSinceMs ?? 0)).toBeLessThan(60_000);
    await until(() => server.host.peers.length === 1);
    await node.host.stop();
    await until(() => server.host.peers.length === 0);
    expect(of(server, "disconnected").map(({ peerId }) => peerId)).toEqual([node.host.peerId]);
  });

  it("resolves a wildcard to addresses that peers can dial", async () => {
    const node = createNode(1, { listenAddress: "/ip4/0.0.0.0/tcp/0" });
    await node.host.start();
    const own = node.host.addresses.find((address) => address.startsWith("/ip4/127.0.0.1/"));
    expect(own).toBeDefined();
    expect(node.host.addresses.join(" ")).not.toContain("0.0.0.0");
  });

  it("starts and stops as often as it is told to", async () => {
    const { host } = createNode(1);
    await host.stop();
    await Promise.all([host.start(), host.start()]);
    expect(host.addresses).toHaveLength(1);
    await Promise.all([host.stop(), host.stop()]);
    expect(host.addresses).toEqual([]);
    await host.start();
    expect(host.addresses).toHaveLength(1);
  });

  it("dials again when a peer comes back", async () => {
    const server = await serving(1, blocks);
    const node = await connectedTo([server]);
    const listenAddress = server.host.addresses[0]?.replace(/\/p2p\/.*/, "") ?? "";
    await server.host.stop();
    await until(() => of(node, "dialFailed").length > 0);
    expect(of(node, "dialFailed")[0]).toMatchObject({ peerId: server.host.peerId });
    const again = createNode(1, { listenAddress, allowedPeers: [peerIdOf(0)] });
    await again.host.start();
    await until(() => node.host.peers.length === 1);
    expect(of(node, "connected")).toHaveLength(2);
  });
});

describe("a stranger (P12)", () => {
  it.each([
    ["who is not configured", {}, "neither in p2p.peers nor in p2p.allowed_peers"],
    [
      "who is blocked",
      { allowedPeers: [peerIdOf(5)], blockedPeers: [peerIdOf(5)] },
      "blocked_peers",
    ],
  ])("%s is refused, with one event", async (_name, settings, reason) => {
    const server = createNode(1, settings);
    await server.host.start();
    const stranger = createNode(5, { peers: server.host.addresses });
    await stranger.host.start();
    await until(() => of(server, "refused").length > 0);
    expect(of(server, "refused")).toEqual([
      expect.objectContaining({
        peerId: stranger.host.peerId,
        reason: expect.stringContaining(reason),
      }),
    ]);
    await until(() => stranger.host.peers.length === 0);
    expect(of(server, "connected")).toEqual([]);
  });
});

describe("a setting that cannot be used", () => {
  it("a port in use names p2p.listen_address", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const port = typeof address === "object" ? address?.port : 0;
    const { host } = createNode(1, { listenAddress: `/ip4/127.0.0.1/tcp/${port}` });
    await expect(host.start()).rejects.toMatchObject({
      detail: { code: "P2P_ADDRESS_IN_USE" },
      message: expect.stringContaining("p2p.listen_address"),
    });
    await new Promise((resolve) => other.close(resolve));
    await host.start();
    expect(host.addresses).toHaveLength(1);
  });

  it("an address of another machine", async () => {
    const { host } = createNode(1, { listenAddress: "/ip4/192.0.2.1/tcp/26656" });
    const detail = { code: "P2P_ADDRESS_NOT_LOCAL", address: "/ip4/192.0.2.1/tcp/26656" };
    await expect(host.start()).rejects.toMatchObject({ detail });
  });

  it.each([
    ["p2p.listen_address", { listenAddress: "127.0.0.1:26656" }],
    ["p2p.listen_address", { listenAddress: "/ip4/127.0.0.1/udp/1/quic-v1" }],
    ["p2p.listen_address", { listenAddress: `/ip4/127.0.0.1/tcp/1/p2p/${peerIdOf(1)}` }],
    ["p2p.peers", { peers: ["/ip4/127.0.0.1/tcp/1"] }],
    ["p2p.peers", { peers: ["/ip4/127.0.0.1/tcp/1/p2p/12D3KooWnonsense"] }],
    ["p2p.peers", { peers: [`/p2p/${peerIdOf(1)}`] }],
    ["p2p.allowed_peers", { allowedPeers: ["node-2"] }],
    ["p2p.blocked_peers", { blockedPeers: ["/ip4/10.0.0.1"] }],
  ])("%s: %o", (setting, options) => {
    expect(() => createNode(2, options)).toThrow(
      expect.objectContaining({
        detail: expect.objectContaining({ code: "P2P_BAD_ADDRESS", setting }),
        message: expect.stringContaining(setting),
      }),
    );
  });

  it("a key that is none", () => {
    const rawPrivateKey = new Uint8Array(5);
    expect(() => createNode(1, { rawPrivateKey })).toThrow(/node_key\.json/);
  });

  it("our own entry among the peers is left out", async () => {
    const own = `/ip4/127.0.0.1/tcp/1/p2p/${peerIdOf(1)}`;
    const { host, events } = createNode(1, { peers: [own] });
    await host.start();
    expect(events.map(({ kind }) => kind)).toEqual(["listening"]);
  });
});
