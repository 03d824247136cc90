/** The logger in a process of its own, on the kinds of standard output that operators give it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const flood = fileURLToPath(new URL("./fixtures/flood.ts", import.meta.url));

describe("standard output", () => {
  it("that is a file has every line although the process exits at once", async () => {
    const directory = mkdtempSync(join(tmpdir(), "stdout-"));
    const path = join(directory, "out.log");
    const { child, report } = run(["ignore", openSync(path, "w"), "pipe"]);
    expect((await report).dropped).toBe(0);
    await once(child, "close");
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    expect(lines).toHaveLength(4_001);
    expect(lines.at(-1)).toMatch(/ INF last line$/);
    rmSync(directory, { recursive: true });
  });

  it("that is a socket with a reader has every line although the process exits at once", async () => {
    const { child, report } = run(["ignore", "pipe", "pipe"]);
    const output = child.stdout === null ? "" : await text(child.stdout);
    expect((await report).dropped).toBe(0);
    expect(output.trimEnd().split("\n")).toHaveLength(4_001);
    expect(output).toMatch(/ INF last line\n$/);
  });

  it("that nobody reads holds up neither the work nor the exit", async () => {
    // Paused and full: a blocking write would hang here until the test's timeout.
    const { child, report } = run(["ignore", "pipe", "pipe"]);
    child.stdout?.pause();
    expect((await report).elapsedMs).toBeLessThan(20_000);
    const [code] = await once(child, "exit");
    expect(code).toBe(0);
    child.stdout?.destroy();
  });

  it("that is a shell's pipe whose reader stalls holds up neither the work nor the exit", async () => {
    const command = `{ "${process.execPath}" "${flood}"; echo "exit $?" >&2; } | { read -r line; exec sleep 600; }`;
    const shell = spawn("sh", ["-c", command], {
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
    });
    let report = "";
    for await (const part of shell.stderr) {
      report += part;
      if (report.includes("exit")) break;
    }
    expect(report).toMatch(/exit 0\n$/);
    if (shell.pid !== undefined) process.kill(-shell.pid, "SIGKILL");
  });
});

interface FloodReport {
  readonly elapsedMs: number;
  readonly dropped: number;
}

function run(stdio: ["ignore", "pipe" | number, "pipe"]) {
  const child = spawn(process.execPath, [flood], { stdio });
  const report = child.stderr === null ? Promise.resolve("{}") : text(child.stderr);
  return { child, report: report.then((json): FloodReport => JSON.parse(json)) };
}
