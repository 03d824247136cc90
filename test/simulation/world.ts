/** What all parts of a simulation share. */

import type { Checkers } from "./checkers/checkers.ts";
import type { Dice } from "./dice.ts";
import type { FaultTape } from "./fault-tape.ts";
import type { Payloads } from "./payloads.ts";
import type { Conditions, Plan } from "./plan.ts";
import type { Schedule } from "./schedule.ts";
import type { Transcript } from "./transcript.ts";
import type { Violation } from "./violation.ts";

export interface World {
  readonly plan: Plan;
  /** Rough or calm, as the round goes on. */
  conditions: Conditions;
  /** To be forked: every part has its own. */
  readonly dice: Dice;
  readonly tape: FaultTape;
  readonly schedule: Schedule;
  readonly transcript: Transcript;
  readonly checkers: Checkers;
  readonly payloads: Payloads;
  /** What went wrong inside a driver, whose guards might keep it to themselves. */
  violation: Violation | null;
}
