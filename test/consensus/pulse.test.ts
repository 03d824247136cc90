import { expect, it } from "vitest";
import { Pulse } from "../../src/consensus/pulse.ts";

it("grows while nothing is heard, and begins anew with a beat", async () => {
  const pulse = new Pulse(5);
  expect(pulse.silentMs).toBe(0);
  pulse.start();
  await expect.poll(() => pulse.silentMs).toBeGreaterThan(50);
  pulse.beat();
  expect(pulse.silentMs).toBe(0);
  await expect.poll(() => pulse.silentMs).toBeGreaterThan(50);
  pulse.stop();
  expect(pulse.silentMs).toBe(0);
});

it("a listener that stood still holds at most one look against the other", async () => {
  const pulse = new Pulse(10);
  pulse.start();
  const beats = new MessageChannel();
  beats.port2.on("message", () => pulse.beat());
  beats.port1.postMessage(null);
  const silent: number[] = [];
  const whileListening = new Promise<void>((resolve) => {
    setImmediate(() => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
      silent.push(pulse.silentMs);
      setTimeout(() => {
        silent.push(pulse.silentMs);
        resolve();
      }, 0);
    });
  });
  await whileListening;
  for (const ms of silent) expect(ms).toBeLessThanOrEqual(20);
  beats.port1.close();
  pulse.stop();
});
