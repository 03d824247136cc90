/** `-o text|json`, for commands whose answer programs read, too. */

import { Option } from "commander";

export interface OutputFlags {
  readonly output: "text" | "json";
}

export function outputOption(): Option {
  return new Option("-o, --output <format>", "text or json")
    .choices(["text", "json"])
    .default("text");
}
