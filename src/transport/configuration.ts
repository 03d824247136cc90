/** A Configuration as the bytes of a type 5 entry and of InstallSnapshot. */

import { concatBytes } from "../base/bytes.ts";
import type { Configuration, Suffrage } from "../raft/types.ts";
import { badFrame } from "./errors.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";
import { configuration as codec } from "./wire-structs.ts";

/** Suffrages at the number that stands for them on the wire. */
const suffrages: readonly Suffrage[] = ["voter", "nonvoter", "staging"];

export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const writer = new MsgpackWriter();
  codec.write(writer, {
    Servers: configuration.servers.map(({ id, address, suffrage }) => ({
      Suffrage: suffrages.indexOf(suffrage),
      ID: id,
      Address: address,
    })),
  });
  return concatBytes(writer.finish());
}

/** Throws a bad-frame error on bytes that are no Configuration (a Go node would crash on them). */
export function decodeConfiguration(bytes: Uint8Array): Configuration {
  const { Servers } = codec.read(new MsgpackReader(bytes));
  return {
    servers: (Servers ?? []).map(({ Suffrage, ID, Address }) => {
      const suffrage = suffrages[Number(Suffrage)];
      if (suffrage === undefined) throw badFrame(`suffrage ${Suffrage} of server ${ID}`);
      return { id: ID, address: Address, suffrage };
    }),
  };
}
