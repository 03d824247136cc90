import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { repository } from "./repository.ts";

const unit = readFileSync(repository("systemd/ev-sequencer.service"), "utf8");
const executable = "/usr/local/bin/evm";
const analyzeMissing = spawnSync("systemd-analyze", ["--version"]).error !== undefined;

/** All values of a setting, in order. */
const valuesOf = (setting: string) =>
  [...unit.matchAll(new RegExp(`^${setting}=(.*)$`, "gm"))].map(([, value]) => value);

describe("the systemd unit", () => {
  it.each([
    ["ExecStart", `${executable} start --home /var/lib/ev-sequencer`],
    ["Restart", "always"],
    ["StartLimitIntervalSec", "0"],
    ["RestartPreventExitStatus", "64 70 78"],
    ["TimeoutStopSec", "30"],
    ["KillMode", "mixed"],
    ["KillSignal", "SIGTERM"],
    ["LoadCredential", "signer-passphrase:/etc/ev-sequencer/passphrase"],
    ["StateDirectory", "ev-sequencer"],
  ])("says %s=%s", (setting, value) => {
    expect(valuesOf(setting)).toEqual([value]);
  });

  it("lets V8 compile at run time", () => {
    expect(valuesOf("MemoryDenyWriteExecute")).toEqual([]);
  });

  it("lets the node write to each path of the example configurations, those in comments included", () => {
    expect(valuesOf("ProtectSystem")).toEqual(["strict"]);
    const writable = [
      ...valuesOf("StateDirectory").map((name) => `/var/lib/${name}/`),
      ...valuesOf("LogsDirectory").map((name) => `/var/log/${name}/`),
    ];
    const examples = readdirSync(repository("config")).filter((name) => name.endsWith(".yaml"));
    const paths = examples.flatMap((name) => {
      const yaml = readFileSync(repository(`config/${name}`), "utf8");
      return [...yaml.matchAll(/: "?(\/(?!ip[46]\/|dns)[^",\s]*)/g)].map(([, path]) => path);
    });
    expect(paths.length).toBeGreaterThan(examples.length - 1);
    const refused = paths.filter((path) => !writable.some((place) => path?.startsWith(place)));
    expect(refused).toEqual([]);
  });

  it("has no secret on the command line, where ps shows it", () => {
    expect(valuesOf("ExecStart").join()).not.toMatch(/passphrase|jwt|secret/);
  });
});

describe.skipIf(analyzeMissing)("systemd-analyze", () => {
  let directory: string;
  let file: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "systemd-"));
    file = join(directory, "ev-sequencer.service");
    // It complains of a missing executable, rightly; where evm is not installed another stands in.
    const standIn = existsSync(executable) ? executable : process.execPath;
    writeFileSync(file, unit.replaceAll(executable, standIn));
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  it("verifies the unit without a complaint", () => {
    const { status, stdout, stderr } = analyze("verify", file);
    expect(stdout + stderr).toBe("");
    expect(status).toBe(0);
  });

  it("rates the sandbox at 2.0 or better, where 10 is no sandbox at all", ({ annotate }) => {
    const { status, stdout, stderr } = analyze("security", "--offline=yes", "--threshold=20", file);
    const rating = /Overall exposure level.*: ([\d.]+)/.exec(stdout)?.[1];
    // Offline rating came with systemd 250.
    if (rating === undefined) expect(stderr).toMatch(/unrecognized option/);
    else {
      annotate(`exposure level ${rating}`);
      expect(status).toBe(0);
      expect(Number(rating)).toBeLessThanOrEqual(2);
    }
  });

  const analyze = (...args: readonly string[]) =>
    spawnSync("systemd-analyze", ["--no-pager", ...args], { encoding: "utf8" });
});
