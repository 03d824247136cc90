/**
 * The peers' hosts and the IP addresses they resolve to: where to dial, and whom to let in. Names are
 * looked up again now and then, after a failed dial, and before a stranger is sent away, since a
 * container that moved keeps its name and not its address.
 */

import { BlockList, isIP } from "node:net";
import { describeError } from "../base/coded-error.ts";
import { TransportError } from "./errors.ts";

/** The IP addresses of a host name; rejects if there are none. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** Between two lookups of everything, however many dials fail and strangers knock. */
const refreshPauseMs = 1_000;
/** Between lookups that nothing asked for. */
const refreshIntervalMs = 30_000;

export interface AddressBookDependencies {
  readonly lookup: Lookup;
  onLookupFailed(host: string, reason: string): void;
}

export class AddressBook {
  readonly #allowFrom: readonly string[];
  readonly #dependencies: AddressBookDependencies;
  /** Last known addresses by host; a failed lookup leaves them as they were. */
  readonly #addresses = new Map<string, readonly string[]>();
  #allowed = new BlockList();
  #refreshing: Promise<void> | null = null;
  #refreshedAtMs = Number.NEGATIVE_INFINITY;
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

  /** The hosts of all configured members; addresses of others are forgotten. */
  setHosts(hosts: Iterable<string>): void {
    const wanted = new Set(hosts);
    for (const host of this.#addresses.keys()) if (!wanted.has(host)) this.#addresses.delete(host);
    for (const host of wanted) {
      if (isIP(host) !== 0) this.#addresses.set(host, [host]);
      else if (!this.#addresses.has(host)) this.#addresses.set(host, []);
    }
    this.#refreshedAtMs = Number.NEGATIVE_INFINITY;
    this.#rebuild();
  }

  isAllowed(ip: string): boolean {
    const family = isIP(ip);
    return family !== 0 && this.#allowed.check(ip, family === 6 ? "ipv6" : "ipv4");
  }

  /** Where `host` can be dialled; rejects if its name does not resolve and never has. */
  async addressesOf(host: string): Promise<readonly string[]> {
    const known = this.#addresses.get(host) ?? [];
    return known.length > 0 ? known : this.#lookup(host);
  }

  /** Looks up every name, unless that was just done. Never rejects. */
  refresh(): Promise<void> {
    if (this.#refreshing !== null) return this.#refreshing;
    if (performance.now() - this.#refreshedAtMs < refreshPauseMs) return Promise.resolve();
    const names = [...this.#addresses.keys()].filter((host) => isIP(host) === 0);
    this.#refreshing = Promise.all(
      names.map((host) =>
        this.#lookup(host).catch((error: unknown) =>
          this.#dependencies.onLookupFailed(host, describeError(error)),
        ),
      ),
    ).then(() => {
      this.#refreshing = null;
      this.#refreshedAtMs = performance.now();
    });
    return this.#refreshing;
  }

  async #lookup(host: string): Promise<readonly string[]> {
    const found = await this.#dependencies.lookup(host);
    if (this.#addresses.has(host)) {
      this.#addresses.set(host, found);
      this.#rebuild();
    }
    return found;
  }

  #rebuild(): void {
    const allowed = new BlockList();
    for (const entry of this.#allowFrom) allow(allowed, entry);
    for (const addresses of this.#addresses.values()) {
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
