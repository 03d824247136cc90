/** `--rpc`: which running nodes a command asks. */

import { InvalidArgumentError, Option } from "commander";
import { parseSocketAddress } from "../config/address.ts";
import { type CliContext, loadContextConfig } from "./context.ts";
import { dialledAddress, localAddress } from "./local-address.ts";

export interface RpcFlags {
  /** `host:port` each; without it the node of this home. */
  readonly rpc?: readonly string[];
}

const example = "10.0.0.1:26657";

export function rpcOption(): Option {
  return new Option(
    "--rpc <addresses>",
    "host:port of nodes, with commas between, or repeated (default: this home's rpc.address)",
  ).argParser(collectAddresses);
}

/** Those given; the configuration of this home matters only if there are none. */
export function addressesOf(context: CliContext, { rpc }: RpcFlags): readonly string[] {
  if (rpc !== undefined) return [...new Set(rpc)];
  return [localAddress(loadContextConfig(context).config.rpc.address)];
}

function collectAddresses(text: string, others: readonly string[] = []): readonly string[] {
  const addresses = text.split(",").map((part) => {
    const parsed = parseSocketAddress(part.trim(), example);
    if (!parsed.ok) throw new InvalidArgumentError(`${parsed.problem}.`);
    if (parsed.value.port > 0) return dialledAddress(parsed.value);
    throw new InvalidArgumentError(`Port 0 is nobody's; write host:port, such as ${example}.`);
  });
  return [...others, ...addresses];
}
