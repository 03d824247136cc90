/** One seed of whole nodes. Alone in its thread: it replaces the thread's clocks and timers. */

import { wholePlanOf } from "../plan.ts";
import { Simulation, type SimulationOptions, type SimulationResult } from "../simulation.ts";
import { momentOver, VirtualTime } from "./virtual-time.ts";
import { Whole } from "./whole.ts";

export async function simulateWhole(
  seed: number,
  options: Omit<SimulationOptions, "parts"> = {},
): Promise<SimulationResult> {
  const plan = options.plan ?? wholePlanOf(seed);
  const time = new VirtualTime();
  const whole = new Whole(plan, time);
  const restore = time.install();
  try {
    const simulation = new Simulation(seed, { ...options, plan, parts: whole.parts });
    while (simulation.step()) {
      await momentOver();
      simulation.settle();
    }
    // Nothing of this seed may run on in the time of the next.
    await momentOver();
    const { result } = simulation;
    result.coverage.add(whole.watch.counts);
    return result;
  } finally {
    restore();
  }
}
