/**
 * What a commit cannot be faster than: the system calls under it, by themselves, on this machine, in
 * this run. One commit needs one write on a majority of disks and one round trip to a follower.
 */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { open } from "lmdb";
import { monotonicMs } from "../src/consensus/shared-lease.ts";
import { portPicker } from "../src/devnet/free-ports.ts";
import { SlowNetwork } from "./network/slow-network.ts";

export interface FloorOptions {
  readonly workDir: string;
  readonly sizeBytes: number;
  readonly count: number;
}

/** An append of `sizeBytes`, made durable: what hashicorp and etcd do at the least. */
export function fdatasyncMs(options: FloorOptions): Promise<number[]> {
  return inFolder(options.workDir, async (directory) => {
    const file = openSync(join(directory, "append"), "w");
    const data = Buffer.alloc(options.sizeBytes, 7);
    try {
      return await timed(options.count, () => {
        writeSync(file, data);
        fdatasyncSync(file);
      });
    } finally {
      closeSync(file);
    }
  });
}

/**
 * One put and its commit, as durable as our log wants it: what any log on LMDB starts from. With `others`, as many more
 * processes do the same on the same disk meanwhile, as the members of a cluster on one machine do.
 */
export function lmdbCommitMs(options: FloorOptions, { others = 0 } = {}): Promise<number[]> {
  return inFolder(options.workDir, async (directory) => {
    const writers: ChildProcess[] = [];
    const database = openFloorDatabase(join(directory, "floor.mdb"));
    const data = new Uint8Array(options.sizeBytes).fill(7);
    let key = 0;
    try {
      for (let nth = 0; nth < others; nth++) {
        const writer = fork(writerPath, [directory, String(options.sizeBytes)]);
        writers.push(writer);
        await once(writer, "message");
      }
      return await timed(options.count, () => database.put(key++, data));
    } finally {
      for (const writer of writers) {
        const exited = once(writer, "exit");
        writer.disconnect();
        await exited;
      }
      await database.close();
    }
  });
}

const writerPath = join(import.meta.dirname, "floor-writer.ts");

export function openFloorDatabase(path: string) {
  return open<Uint8Array, number>({
    path,
    encoding: "binary",
    overlappingSync: false,
    eventTurnBatching: false,
  });
}

const host = "127.0.0.1";

/** `sizeBytes` to another process over loopback, or so far away, and a short answer back. */
export async function tcpRoundTripMs(
  sizeBytes: number,
  count: number,
  oneWayMs = 0,
): Promise<number[]> {
  const child = fork(join(import.meta.dirname, "floor-echo.ts"), [String(sizeBytes)]);
  const to = await new Promise<number>((resolve) => child.once("message", resolve));
  const via = await portPicker()(host);
  const network = oneWayMs > 0 ? new SlowNetwork({ host, oneWayMs, ways: [{ to, via }] }) : null;
  await network?.open(to);
  const socket = connect({ port: network === null ? to : via, host, noDelay: true });
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  const data = Buffer.alloc(sizeBytes, 7);
  try {
    return await timed(count, () => roundTrip(socket, data));
  } finally {
    socket.destroy();
    child.disconnect();
    await network?.stop();
  }
}

function roundTrip(socket: Socket, data: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    socket.once("data", () => resolve());
    socket.write(data);
  });
}

const echoThread = `
  const { parentPort } = require("node:worker_threads");
  parentPort.on("message", (message) => parentPort.postMessage(message));
`;

/** A message to another thread, and one back. */
export async function messagePortRoundTripMs(count: number): Promise<number[]> {
  const worker = new Worker(echoThread, { eval: true });
  const ask = () =>
    new Promise<void>((resolve) => {
      worker.once("message", () => resolve());
      worker.postMessage(0);
    });
  try {
    await ask(); // the thread has started
    return await timed(count, ask);
  } finally {
    await worker.terminate();
  }
}

export async function inFolder<T>(
  workDir: string,
  work: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(workDir, "bench-"));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The first tenth warms up, and does not count. */
export async function timed(count: number, work: () => unknown): Promise<number[]> {
  const warmUp = Math.ceil(count / 10);
  const samples: number[] = [];
  for (let run = 0; run < warmUp + count; run++) {
    const startedMs = monotonicMs();
    await work();
    if (run >= warmUp) samples.push(monotonicMs() - startedMs);
  }
  return samples;
}
