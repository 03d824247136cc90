import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { allKeys } from "../../src/config/schema.ts";

it("README.md's table of keys has the defaults that the schema has", async () => {
  const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
  const rows = [...readme.matchAll(/^\| `([a-z]+(?:\.[a-z_]+)+)` *\| (?:`([^`]*)`)? *\|/gm)];
  const written = rows.map(([, name = "", initial = ""]) => [name, initial]);
  const initialOf = new Map(allKeys.map(({ name, initial }) => [name, initial]));
  expect(written.length).toBeGreaterThan(10);
  expect(written).toEqual(written.map(([name = ""]) => [name, initialOf.get(name)]));
});
