import { expect, it } from "vitest";
import { configurationPage } from "./configuration-page.ts";

it("docs/configuration.md is what the schema says; npx vitest run test/docs -u writes it anew", async () => {
  await expect(configurationPage()).toMatchFileSnapshot("../../docs/configuration.md");
});
