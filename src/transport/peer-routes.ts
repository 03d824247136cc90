/** Where a peer is dialled: at one of the addresses of the name that the operator gave, in turn. */

import type { ServerId } from "../raft/types.ts";
import { type Endpoint, isWildcard, parseEndpoint, type Route, routeTo } from "./address.ts";
import type { AddressBook } from "./address-book.ts";
import { badAddress } from "./errors.ts";

export interface PeerRoutesOptions {
  readonly peerId: ServerId;
  /** `host:port`. */
  readonly address: string;
  /** Where this node listens. */
  readonly listenHost: string;
}

export class PeerRoutes {
  readonly #endpoint: Endpoint;
  readonly #listenHost: string;
  readonly #addressBook: AddressBook;
  /** Failed dials: each moves on to the next of the peer's addresses. */
  #dialFailures = 0;
  /** `host:port` of the last dial that connected. */
  #provenAddress: string | null = null;

  /** Throws a bad-address error. */
  constructor({ peerId, address, listenHost }: PeerRoutesOptions, addressBook: AddressBook) {
    const setting = `raft.peers: ${peerId}`;
    this.#endpoint = parseEndpoint(address, setting);
    this.#listenHost = listenHost;
    this.#addressBook = addressBook;
    if (isWildcard(this.#endpoint.host)) {
      const advice = "names no machine. Give the address at which the others reach that node.";
      throw badAddress(setting, address, advice);
    }
  }

  /** For the next dial. */
  async next(): Promise<Route> {
    const { host, port } = this.#endpoint;
    const addresses = await this.#addressBook.addressesOf(host);
    return this.#routeTo({ host: addresses[this.#dialFailures % addresses.length] ?? host, port });
  }

  /** Where the peer's process has been found listening; rejects if that cannot be told. */
  async proven(): Promise<Route> {
    if (this.#provenAddress !== null) {
      return this.#routeTo(parseEndpoint(this.#provenAddress, "raft.peers"));
    }
    const { host, port } = this.#endpoint;
    const [address, another] = await this.#addressBook.addressesOf(host);
    if (address === undefined || another !== undefined) {
      throw new Error(`${host} has several addresses, none of them proven`);
    }
    return this.#routeTo({ host: address, port });
  }

  /** Whether the last dial that connected went there. */
  isProven(address: string): boolean {
    return address === this.#provenAddress;
  }

  connected(address: string): void {
    this.#provenAddress = address;
  }

  dialFailed(): void {
    this.#dialFailures++;
    this.lookUp();
  }

  /** Somebody else may have its address by now. */
  lookUp(): void {
    void this.#addressBook.refresh();
  }

  #routeTo(endpoint: Endpoint): Route {
    return routeTo(endpoint, this.#listenHost);
  }
}
