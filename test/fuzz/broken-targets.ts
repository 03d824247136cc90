/** Decoders as nobody should write them: a fuzzer that lets one of them pass would be worth nothing. */

import { text } from "./shapes.ts";
import { checkCodec, type Target, textOf, utf8 } from "./target.ts";

function target(name: string, check: Target["check"]): Target {
  return { name, shape: text, seeds: [utf8("[1,2,3]")], words: [utf8("~")], check };
}

const tilde = 0x7e;

function hasTilde(input: Uint8Array): boolean {
  return input.includes(tilde);
}

/** How many brackets there are, one call for each. */
function depthOf(input: Uint8Array, at = 0): number {
  return input[at] === 0x5b ? depthOf(input, at + 1) + 1 : 0;
}

export const targets: readonly Target[] = [
  target("throws what is not its own", (input) => {
    if (hasTilde(input)) throw new TypeError("undefined is not a function");
    return "taken";
  }),
  target("calls itself for each bracket", (input) => (depthOf(input) < 9 ? "taken" : "refused")),
  target("believes a length", (input) => {
    const announced = hasTilde(input) ? new Uint8Array(2 ** 30) : input;
    return announced.length > 0 ? "taken" : "refused";
  }),
  target("compares bytes in pairs", (input) => {
    let same = 0;
    for (let at = 0; at < input.length; at++) {
      for (let other = 0; other < input.length; other += 16) if (input[at] === input[other]) same++;
    }
    return same >= 0 ? "taken" : "refused";
  }),
  target(
    "writes otherwise than it reads",
    checkCodec({
      decode: (input) => textOf(input).trim(),
      encode: (value) => utf8(value.replace("~", " ~ ")),
      isRefusal: () => false,
    }),
  ),
  target("waits for ever", (input) => {
    while (hasTilde(input));
    return "taken";
  }),
  target("keeps all it ever sees", (input) => {
    const kept: string[][] = [];
    while (hasTilde(input)) kept.push(Array.from({ length: 1000 }, (_, at) => `${at}`));
    return "taken";
  }),
];
