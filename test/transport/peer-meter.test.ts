import { expect, it } from "vitest";
import { PeerMeter } from "../../src/transport/peer-meter.ts";

it("round trips that nobody takes do not pile up without end, and the average goes on", () => {
  const meter = new PeerMeter();
  for (let nth = 0; nth < 5_000; nth++) meter.roundTrip(nth < 4_000 ? 1 : 9);
  const taken = meter.takeRoundTripsMs();
  expect(taken).toHaveLength(1_000);
  expect(new Set(taken)).toEqual(new Set([1]));
  expect(meter.stats(true).smoothedRttMs).toBeCloseTo(9);
  expect(meter.takeRoundTripsMs()).toEqual([]);
});
