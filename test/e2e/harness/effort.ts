/** How much a test does: little by default, and as much as the environment asks for. */

import { Dice } from "../../simulation/dice.ts";
import { report } from "./distribution.ts";

/** The count that the environment's `variable` holds; `standard` without it. */
export function countFrom(variable: string, standard: number): number {
  const text = process.env[variable];
  if (text === undefined) return standard;
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new RangeError(`${variable}=${text} is no count`);
}

/** Dice of a seed that is printed; `EVM_E2E_SEED` throws the same again. */
export function printedDice(): Dice {
  const seed = countFrom("EVM_E2E_SEED", 1 + Math.floor(Math.random() * 1e9));
  report(`EVM_E2E_SEED=${seed}`);
  return new Dice(seed);
}
