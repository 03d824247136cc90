/** Where peers are, who may come in, and what we tell others about ourselves. */

import { describe, expect, it } from "vitest";
import {
  type AdvertisedAddressFacts,
  formatEndpoint,
  parseEndpoint,
  plainIp,
  resolveAdvertisedAddress,
  routeTo,
} from "../../src/transport/address.ts";
import { AddressBook } from "../../src/transport/address-book.ts";
import { backoffMs, rpcTimeoutMs } from "../../src/transport/deadlines.ts";

describe("an endpoint", () => {
  it.each([
    ["10.0.0.1:5001", "10.0.0.1", 5001],
    ["node-1.example:0", "node-1.example", 0],
    ["[fd00::1]:5001", "fd00::1", 5001],
    [":5001", "", 5001],
    [" 10.0.0.1:5001 ", "10.0.0.1", 5001],
  ])("%j is read", (address, host, port) => {
    const endpoint = parseEndpoint(address, "raft.raft_addr");
    expect(endpoint).toEqual({ host, port });
    expect(formatEndpoint(endpoint)).toBe(address.trim());
  });

  it.each(["", "10.0.0.1", "10.0.0.1:", "10.0.0.1:70000", "fd00::1:5001", "a:b"])(
    "%j is refused, with the setting named",
    (address) => {
      expect(() => parseEndpoint(address, "raft.raft_addr")).toThrow(/raft\.raft_addr/);
    },
  );

  it("of a socket that maps IPv4 into IPv6 is the IPv4 one", () => {
    expect(plainIp("::ffff:10.0.0.1")).toBe("10.0.0.1");
    expect(plainIp("fd00::1")).toBe("fd00::1");
  });
});

describe("a connection to a peer", () => {
  it.each([
    ["the address that is listened on", "10.0.0.7", "10.0.0.2", "10.0.0.7"],
    ["the same, IPv6", "fd00::7", "fd00::2", "fd00::7"],
    ["one loopback address to another", "127.0.0.3", "127.0.0.2", "127.0.0.3"],
    ["any, for a wildcard", "0.0.0.0", "10.0.0.2", null],
    ["any, for IPv6's", "::", "fd00::2", null],
    ["any, for a name", "node-1.example", "10.0.0.2", null],
    ["any, from IPv4 to IPv6", "10.0.0.7", "fd00::2", null],
    ["any, from loopback to another host", "127.0.0.1", "10.0.0.2", null],
    ["any, to loopback", "10.0.0.7", "127.0.0.1", null],
    ["any, to a name that nobody resolved", "10.0.0.7", "node-2.example", null],
  ])("comes from %s", (_rule, listenHost, host, source) => {
    expect(routeTo({ host, port: 5001 }, listenHost)).toEqual({ host, port: 5001, source });
  });
});

describe("the advertised address", () => {
  const facts: AdvertisedAddressFacts = {
    localId: "node-1",
    advertiseAddr: null,
    peers: new Map([["node-2", "10.0.0.2:5001"]]),
    raftAddr: "0.0.0.0:5001",
    listenPort: 5001,
    outboundLocalAddress: "10.0.0.7",
  };
  it.each([
    ["raft.advertise_addr", { advertiseAddr: "node-1:6000" }, "node-1:6000"],
    ["our own entry", { peers: new Map([["node-1", "10.0.0.1:5001"]]) }, "10.0.0.1:5001"],
    ["raft_addr", { raftAddr: "10.0.0.3:5001" }, "10.0.0.3:5001"],
    ["raft_addr with the port that was given", { raftAddr: "10.0.0.3:0" }, "10.0.0.3:5001"],
    ["the first connection's end, for a wildcard", {}, "10.0.0.7:5001"],
    ["the same, for [::]", { raftAddr: "[::]:5001" }, "10.0.0.7:5001"],
    ["nothing yet", { outboundLocalAddress: null }, null],
    ["nothing where the kernel knew no way", { outboundLocalAddress: "0.0.0.0" }, null],
    ["no wildcard from our own entry", { peers: new Map([["node-1", ":5001"]]) }, "10.0.0.7:5001"],
  ])("is %s", (_rule, change, expected) => {
    expect(resolveAdvertisedAddress({ ...facts, ...change })).toBe(expected);
  });
});

describe("the address book", () => {
  const book = (allowFrom: readonly string[], names: Record<string, readonly string[]> = {}) => {
    const failed: string[] = [];
    const addressBook = new AddressBook(allowFrom, {
      lookup: async (host) => {
        const found = names[host];
        if (found === undefined) throw new Error("ENOTFOUND");
        return found;
      },
      onLookupFailed: (host) => failed.push(host),
    });
    return { addressBook, failed, names };
  };

  it("lets in the peers' addresses and the configured ranges, and nobody else", () => {
    const { addressBook } = book(["10.1.0.0/16", "fd00::/8", "192.0.2.7"]);
    addressBook.setHosts(["10.0.0.1"]);
    for (const ip of ["10.0.0.1", "10.1.2.3", "fd12::1", "192.0.2.7"]) {
      expect(addressBook.isAllowed(ip)).toBe(true);
    }
    for (const ip of ["10.0.0.2", "192.0.2.8", "::1", "127.0.0.1", "nonsense", ""]) {
      expect(addressBook.isAllowed(ip)).toBe(false);
    }
  });

  it.each(["nonsense", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "fd00::/129", "/8"])(
    "refuses %j in raft.allow_from",
    (entry) => {
      expect(() => book([entry])).toThrow(/raft\.allow_from/);
    },
  );

  it("follows a name to its new address, and keeps the last one while the lookup fails", async () => {
    const names: Record<string, readonly string[]> = { "node-1": ["10.0.0.1"] };
    const { addressBook, failed } = book([], names);
    addressBook.setHosts(["node-1"]);
    await addressBook.refresh();
    expect(addressBook.isAllowed("10.0.0.1")).toBe(true);
    delete names["node-1"];
    addressBook.setHosts(["node-1"]); // a new list is looked up without a pause
    await addressBook.refresh();
    expect(failed).toEqual(["node-1"]);
    expect(await addressBook.addressesOf("node-1")).toEqual(["10.0.0.1"]);
    names["node-1"] = ["10.0.0.9"];
    addressBook.setHosts(["node-1"]);
    await addressBook.refresh();
    expect(addressBook.isAllowed("10.0.0.9")).toBe(true);
    expect(addressBook.isAllowed("10.0.0.1")).toBe(false);
  });

  it("forgets the hosts of members that left", () => {
    const { addressBook } = book([]);
    addressBook.setHosts(["10.0.0.1"]);
    addressBook.setHosts(["10.0.0.2"]);
    expect(addressBook.isAllowed("10.0.0.1")).toBe(false);
  });
});

describe("deadlines", () => {
  it.each([
    ["heartbeatRequest", 0, 200],
    ["requestPreVoteRequest", 0, 200],
    ["requestVoteRequest", 0, 1_000],
    ["appendEntriesRequest", 100, 2_000],
    ["appendEntriesRequest", 16 * 1024 * 1024, 12_800],
    ["installSnapshotRequest", 0, 10_000],
    ["installSnapshotRequest", 100 * 1024 * 1024, 80_000],
  ] as const)("%s of %i bytes: %i ms at the default send_timeout", (kind, bytes, expected) => {
    expect(rpcTimeoutMs(kind, bytes, 200)).toBe(expected);
  });

  it("double the back-off, with jitter, up to its limit", () => {
    expect([1, 2, 3, 4, 50].map((failures) => backoffMs(failures, 1_000, 1))).toEqual([
      10, 20, 40, 80, 1_000,
    ]);
    expect(backoffMs(4, 1_000, 0)).toBe(40);
  });
});
