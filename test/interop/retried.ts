/** What an election at the wrong moment makes moot is done again: on a busy machine there may be one at any moment. */

import { setTimeout as delay } from "node:timers/promises";

const attemptsMax = 8;
/** What was in the way may last: an election, for example. */
const pauseMs = 1_000;

/** The first answer of `attempt` that is not null; throws, naming `what`, after some. */
export async function retried<T>(
  what: string,
  attempt: (nth: number) => Promise<T | null>,
): Promise<T> {
  for (let nth = 1; nth <= attemptsMax; nth++) {
    const answer = await attempt(nth);
    if (answer !== null) return answer;
    await delay(pauseMs);
  }
  throw new Error(`not in ${attemptsMax} attempts: ${what}`);
}
