/**
 * The peers' hosts and the IP addresses they resolve to: where to dial, and whom to let in. Names are
 * looked up again now and then, after a failed dial, and before a stranger is sent away, since a
 * container that moved keeps its name and not its address.
 */

import { BlockList, isIP } from "node:net";
import { defined } from "../base/assert.ts";
import { describeError } from "../base/coded-error.ts";
import { TransportError } from "./errors.ts";

/** The IP addresses of a host name; rejects if there are none. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** Between two lookups of one name, however many dials fail and strangers knock. */
const lookupPauseMs = 1_000;
/** Between lookups that nothing asked for. */
const refreshIntervalMs = 30_000;

export interface AddressBookDependencies {
  readonly lookup: Lookup;
  onLookupFailed(host: string, reason: string): void;
}

interface HostRecord {
  /** Last known; a failed lookup leaves them as they were. An IP address is its own. */
  addresses: readonly string[];
  /** A lookup on its way: there is never a second one beside it. */
  pending: Promise<void> | null;
  lookedUpAtMs: number;
  error: unknown;
}

export class AddressBook {
  readonly #allowFrom: readonly string[];
  readonly #dependencies: AddressBookDependencies;
  readonly #hosts = new Map<string, HostRecord>();
  #allowed = new BlockList();
  #timer: NodeJS.Timeout | null = null;

  /** `allowFrom` are IP addresses and CIDR ranges; throws a bad-allow-from error on anything else. */
  constructor(allowFrom: readonly string[], dependencies: AddressBookDependencies) {
    this.#allowFrom = allowFrom;
    this.#dependencies = dependencies;
    this.#rebuild();
  }

  start(): void {
    void this.refresh();
    this.#timer = setInterval(() => void this.refresh(), refreshIntervalMs);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** The hosts of all configured members, whose names are looked up anew; others are forgotten. */
  setHosts(hosts: Iterable<string>): void {
    const wanted = new Set(hosts);
    for (const host of this.#hosts.keys()) if (!wanted.has(host)) this.#hosts.delete(host);
    for (const host of wanted) {
      this.#hosts.set(host, {
        addresses: isIP(host) === 0 ? (this.#hosts.get(host)?.addresses ?? []) : [host],
        pending: null,
        lookedUpAtMs: Number.NEGATIVE_INFINITY,
        error: null,
      });
    }
    this.#rebuild();
  }

  isAllowed(ip: string): boolean {
    const family = isIP(ip);
    return family !== 0 && this.#allowed.check(ip, family === 6 ? "ipv6" : "ipv4");
  }

  /** Where `host` can be dialled, at least one; rejects if its name does not resolve and never has. */
  async addressesOf(host: string): Promise<readonly string[]> {
    const record = defined(this.#hosts.get(host), "a dialled host is in the book");
    if (record.addresses.length === 0) await this.#lookup(host, record);
    if (record.addresses.length === 0) {
      throw new Error(`${host} does not resolve`, { cause: record.error });
    }
    return record.addresses;
  }

  /** Looks up every name that has not just been looked up. Never rejects. */
  async refresh(): Promise<void> {
    await Promise.all([...this.#hosts].map(([host, record]) => this.#lookup(host, record)));
  }

  #lookup(host: string, record: HostRecord): Promise<void> {
    if (isIP(host) !== 0) return Promise.resolve();
    if (record.pending !== null) return record.pending;
    if (performance.now() - record.lookedUpAtMs < lookupPauseMs) return Promise.resolve();
    record.lookedUpAtMs = performance.now();
    record.pending = this.#dependencies
      .lookup(host)
      .then((addresses) => {
        record.addresses = addresses;
        this.#rebuild();
      })
      .catch((error: unknown) => {
        record.error = error;
        this.#dependencies.onLookupFailed(host, describeError(error));
      })
      .finally(() => {
        record.pending = null;
      });
    return record.pending;
  }

  #rebuild(): void {
    const allowed = new BlockList();
    for (const entry of this.#allowFrom) allow(allowed, entry);
    for (const { addresses } of this.#hosts.values()) {
      for (const address of addresses) allow(allowed, address);
    }
    this.#allowed = allowed;
  }
}

function allow(list: BlockList, entry: string): void {
  const [ip = "", prefix, ...rest] = entry.trim().split("/");
  const family = isIP(ip);
  const bits = prefix === undefined ? undefined : Number(prefix);
  const bitsMax = family === 6 ? 128 : 32;
  const isPrefix = bits === undefined || (/^\d+$/.test(prefix ?? "") && bits <= bitsMax);
  if (family === 0 || rest.length > 0 || !isPrefix) {
    throw new TransportError(
      { code: "TRANSPORT_BAD_ALLOW_FROM", entry },
      `raft.allow_from: ${JSON.stringify(entry)} is neither an IP address nor a range. Write it like 10.0.0.7 or 10.0.0.0/24.`,
    );
  }
  const type = family === 6 ? "ipv6" : "ipv4";
  if (bits === undefined) list.addAddress(ip, type);
  else list.addSubnet(ip, bits, type);
}
