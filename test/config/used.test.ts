/** A key that is declared as used does something: who would miss it otherwise is told that it does not. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { allKeys, fieldNameOf } from "../../src/config/schema.ts";
import { repository } from "../deploy/repository.ts";

const source = readdirSync(repository("src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && !name.startsWith(join("config", "keys")))
  .map((name) => readFileSync(join(repository("src"), name), "utf8"))
  .join("\n");

it.each(allKeys.filter(({ use }) => use === "used"))("$name is read", (key) => {
  expect(source).toMatch(new RegExp(`\\b${fieldNameOf(key)}\\b`));
});
