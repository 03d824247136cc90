import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { makeDirectory } from "../../src/base/make-directory.ts";

const root = mkdtempSync(join(tmpdir(), "make-directory-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

it("makes what is missing, and leaves what is there", () => {
  const path = join(root, "a", "b", "c");
  makeDirectory(path, 0o700);
  makeDirectory(path, 0o755);
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

it("ends where the system makes none, whatever it says", () => {
  expect(() => makeDirectory("/proc/nothing/here", 0o700)).toThrow(/ENOENT/);
});

it("takes neither a file nor a link to nothing for a directory", () => {
  writeFileSync(join(root, "file"), "");
  symlinkSync(join(root, "gone"), join(root, "link"));
  expect(() => makeDirectory(join(root, "file"), 0o700)).toThrow(/EEXIST/);
  expect(() => makeDirectory(join(root, "file", "x"), 0o700)).toThrow(/EEXIST/);
  expect(() => makeDirectory(join(root, "link"), 0o700)).toThrow(/EEXIST/);
  expect(existsSync(join(root, "gone"))).toBe(false);
});
