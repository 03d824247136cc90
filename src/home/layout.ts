/** Where the files of a home directory are. */

import { join } from "node:path";

export interface HomeLayout {
  readonly configDir: string;
  readonly configFile: string;
  readonly genesisFile: string;
  readonly signerFile: string;
  readonly nodeKeyFile: string;
}

export function homeLayout(home: string): HomeLayout {
  const configDir = join(home, "config");
  return {
    configDir,
    configFile: join(configDir, "evnode.yaml"),
    genesisFile: join(configDir, "genesis.json"),
    signerFile: join(configDir, "signer.json"),
    nodeKeyFile: join(configDir, "node_key.json"),
  };
}
