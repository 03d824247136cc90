import { expect, it } from "vitest";
import { Patience } from "../../src/transport/deadlines.ts";

it("each connection on which an append came late gives the next one twice the time, each answer half of it", () => {
  const patience = new Patience();
  const times: number[] = [];
  for (let connection = 1; connection <= 5; connection++) {
    times.push(patience.timeoutMs(4_000));
    // Many were under way on it.
    for (let call = 0; call < 3; call++) patience.late(connection);
  }
  expect(times).toEqual([4_000, 8_000, 16_000, 32_000, 60_000]);
  expect(patience.timeoutMs(90_000)).toBe(90_000);
  const after = [1, 2, 3, 4, 5, 6].map(() => {
    patience.answered();
    return patience.timeoutMs(4_000);
  });
  expect(after).toEqual([60_000, 32_000, 16_000, 8_000, 4_000, 4_000]);
});
