import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { equalBytes } from "../../src/base/bytes.ts";
import { HomeError } from "../../src/home/errors.ts";
import {
  formatGenesis,
  genesisHash,
  newGenesis,
  parseGenesis,
  readGenesis,
  writeGenesis,
} from "../../src/home/genesis.ts";
import { formatRfc3339, parseRfc3339 } from "../../src/home/rfc3339.ts";

const proposerBase64 = "Vkdap1RjR0wChd9dvyvKtz2mUTWIOem3dIGy6rEHcIw=";
const file = {
  chain_id: "evolve-test",
  start_time: "2024-07-08T11:10:11.123456789+02:00",
  initial_height: 1,
  proposer_address: proposerBase64,
  da_start_height: 0,
  da_epoch_forced_inclusion: 50,
};
const text = JSON.stringify(file, null, 2);
const genesis = parseGenesis("genesis.json", text);

let home = "";
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "home-genesis-"));
});
afterAll(() => rm(home, { recursive: true }));

describe("genesis.json", () => {
  it("is written as it was read: nanoseconds, zone and all", () => {
    expect(formatGenesis(genesis)).toBe(text);
    expect(genesis.startTimeNs).toBe(1_720_429_811_123_456_789n);
  });

  it("of a new chain has ev-node's defaults", async () => {
    const facts = {
      chainId: "c",
      proposerAddress: new Uint8Array(32),
      startTimeNs: 1_700_000_000_120_000_000n,
    };
    const path = join(home, "new", "config", "genesis.json");
    await writeGenesis(path, newGenesis(facts));
    expect(await readFile(path, "utf8")).toBe(`{
  "chain_id": "c",
  "start_time": "2023-11-14T22:13:20.12Z",
  "initial_height": 1,
  "proposer_address": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
  "da_start_height": 0,
  "da_epoch_forced_inclusion": 50
}`);
    expect(await readGenesis(path)).toEqual(newGenesis(facts));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(home, "new", "config"))).mode & 0o777).toBe(0o700);
  });

  it("is never overwritten", async () => {
    const path = join(home, "genesis.json");
    await writeGenesis(path, genesis);
    await expect(writeGenesis(path, { ...genesis, chainId: "other" })).rejects.toMatchObject({
      detail: { code: "HOME_EXISTS", path },
    });
    expect(await readFile(path, "utf8")).toBe(text);
  });

  it.each([
    [{ chain_id: "" }, "chain_id", "invalid or missing chain_id in genesis file"],
    [{ chain_id: undefined }, "chain_id", "invalid or missing chain_id in genesis file"],
    [{ chain_id: 7 }, "chain_id", "chain_id must be a text, and is a number"],
    [{ initial_height: 0 }, "initial_height", "initial_height must be at least 1, got 0"],
    [{ initial_height: undefined }, "initial_height", "initial_height must be at least 1, got 0"],
    [
      { initial_height: 1.5 },
      "initial_height",
      "initial_height must be a whole number, and is 1.5",
    ],
    [{ initial_height: 2 ** 60 }, "initial_height", "initial_height must be a whole number"],
    [{ start_time: undefined }, "start_time", "start_time cannot be zero time"],
    [{ start_time: "0001-01-01T00:00:00Z" }, "start_time", "start_time cannot be zero time"],
    [{ start_time: "yesterday" }, "start_time", 'start_time "yesterday" is not an RFC 3339 time'],
    [{ start_time: "1969-12-31T23:59:59Z" }, "start_time", "must lie between the years 1970"],
    [{ start_time: "2600-01-01T00:00:00Z" }, "start_time", "must lie between the years 1970"],
    [{ proposer_address: null }, "proposer_address", "proposer_address cannot be nil"],
    [{ proposer_address: "AAAA" }, "proposer_address", "must have 32 bytes, got 3"],
    [{ proposer_address: "!" }, "proposer_address", "is not base64"],
    [{ proposer_address: proposerBase64.slice(0, -1) }, "proposer_address", "is not base64"],
    [{ da_start_height: -1 }, "da_start_height", "da_start_height cannot be negative"],
    [
      { da_epoch_forced_inclusion: 0 },
      "da_epoch_forced_inclusion",
      "da_epoch_forced_inclusion must be at least 1, got 0",
    ],
  ])("refuses %j, with the file, the field and ev-node's words", (change, field, words) => {
    const error = refusal(JSON.stringify({ ...file, ...change }));
    expect(error.detail).toEqual({ code: "HOME_FIELD", path: "/home/genesis.json", field });
    expect(error.message).toContain(words);
    expect(error.message).toContain("/home/genesis.json");
  });

  it.each([["no JSON"], ["[]"], ["null"], ['"text"'], [""]])("refuses the text %j", (damaged) => {
    expect(refusal(damaged).detail).toEqual({ code: "HOME_JSON", path: "/home/genesis.json" });
  });

  it("missing or unreadable, says so with advice", async () => {
    const path = join(home, "nowhere.json");
    await expect(readGenesis(path)).rejects.toMatchObject({
      detail: { code: "HOME_MISSING", path },
    });
    await expect(readGenesis(path)).rejects.toThrow(/copy it from the node that made the chain/);
    await expect(readGenesis(home)).rejects.toMatchObject({
      detail: { code: "HOME_IO", errno: "EISDIR" },
    });
    await writeFile(join(home, "plain"), "");
    await expect(writeGenesis(join(home, "plain", "genesis.json"), genesis)).rejects.toMatchObject({
      detail: { code: "HOME_IO" },
    });
  });
});

describe("genesisHash", () => {
  it("is the same for the same chain, whatever the layout and the zone", () => {
    const utc = { ...file, start_time: "2024-07-08T09:10:11.123456789Z", comment: "unknown" };
    const other = parseGenesis("other.json", JSON.stringify(utc));
    expect(genesisHash(other)).toEqual(genesisHash(genesis));
  });

  it("changes with every field", () => {
    for (const change of [
      { chainId: "x" },
      { startTimeNs: genesis.startTimeNs + 1n },
      { initialHeight: 2 },
      { proposerAddress: new Uint8Array(32) },
      { daStartHeight: 1 },
      { daEpochForcedInclusion: 51 },
    ]) {
      expect(equalBytes(genesisHash({ ...genesis, ...change }), genesisHash(genesis))).toBe(false);
    }
  });
});

describe("RFC 3339 times", () => {
  it.each([
    ["1970-01-01T00:00:00Z", 0n],
    ["1970-01-01T00:00:00.000000001Z", 1n],
    ["1969-12-31T23:59:59.999999999Z", -1n],
    ["1970-01-01T05:30:00+05:30", 0n],
    ["1969-12-31T16:00:00-08:00", 0n],
    ["0001-01-01T00:00:00Z", -62_135_596_800_000_000_000n],
    ["2024-02-29T12:00:00.5Z", 1_709_208_000_500_000_000n],
  ])("%s", (written, timeNs) => {
    expect(parseRfc3339(written)).toBe(timeNs);
  });

  it.each([
    "2024-02-30T00:00:00Z",
    "2023-02-29T00:00:00Z",
    "2024-13-01T00:00:00Z",
    "2024-01-01T24:00:00Z",
    "2024-01-01T00:60:00Z",
    "2024-01-01T00:00:00",
    "2024-01-01 00:00:00Z",
    "2024-01-01T00:00:00.Z",
    "2024-01-01T00:00:00+24:00",
    "",
  ])("%j is none", (written) => {
    expect(parseRfc3339(written)).toBeNull();
  });

  it("are read as they were printed", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 18n), max: 2n ** 64n - 1n }), (timeNs) => {
        expect(parseRfc3339(formatRfc3339(timeNs))).toBe(timeNs);
      }),
      { seed: 5 },
    );
  });
});

function refusal(written: string): HomeError {
  try {
    parseGenesis("/home/genesis.json", written);
  } catch (error) {
    if (error instanceof HomeError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}
