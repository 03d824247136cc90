/** Frames over a libp2p stream, with a limit on each wait and each size. */

import type { Stream, StreamCloseEvent, StreamMessageEvent } from "@libp2p/interface";
import { encodeFrame, FrameDecoder } from "../block/framing.ts";
import type { OnReceived } from "./motion.ts";

/** The stream was reset or cut, or its connection lost: no answer, and nobody's proven fault. */
export class StreamLost extends Error {
  override readonly name = "StreamLost";
}

/** Whether to go on reading. */
export type Wanted = "more" | "enough";

export interface ReadLimits {
  readonly frameMaxBytes: number;
  readonly signal: AbortSignal;
  /** Told of each part as it comes. */
  readonly onReceived?: OnReceived;
}

/**
 * Hands each frame to `onFrame` until that has enough, or the peer has closed its side. Frames are
 * taken as they arrive, so nothing piles up behind them. Throws BlockError for a frame that is too long,
 * StreamLost, the signal's reason, and whatever `onFrame` throws.
 */
export function readFrames(
  stream: Stream,
  { frameMaxBytes, signal, onReceived }: ReadLimits,
  onFrame: (frame: Uint8Array) => Wanted,
): Promise<void> {
  const decoder = new FrameDecoder(frameMaxBytes);
  // A lost connection also ends a stream; only the peer's own close makes that an end of its words.
  let hasPeerClosed = stream.status === "open" && stream.remoteWriteStatus === "closed";
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      stream.removeEventListener("message", onMessage);
      stream.removeEventListener("remoteCloseWrite", onPeerClosed);
      stream.removeEventListener("end", onEnd);
      stream.removeEventListener("close", onClose);
      signal.removeEventListener("abort", onAbort);
      finish();
    };
    const fail = (error: unknown) => settle(() => reject(error));
    const onAbort = () => fail(signal.reason);
    const onPeerClosed = () => {
      hasPeerClosed = true;
    };
    const onMessage = (event: StreamMessageEvent) => {
      onReceived?.(event.data.byteLength);
      try {
        for (const frame of decoder.push(event.data.subarray())) {
          if (onFrame(frame) === "enough") return settle(resolve);
        }
        if (isRead()) onEnd();
      } catch (error) {
        fail(error);
      }
    };
    // A peer may say all it has with its first packet. Then the stream has ended while its protocol was
    // still negotiated, what was read too far was put back, and no second end is told.
    const isRead = () => stream.readableEnded && stream.readBufferLength === 0;
    const onEnd = () => {
      // A reset ends a stream before it closes it.
      if (stream.status === "reset" || stream.status === "aborted") return fail(wasReset());
      if (!hasPeerClosed) return fail(new StreamLost("the connection was lost"));
      // A process that is told to stop ends the streams of its answers wherever they are.
      if (decoder.isInsideFrame) {
        return fail(new StreamLost("the stream ended within a message"));
      }
      settle(resolve);
    };
    const onClose = ({ error }: StreamCloseEvent) => {
      if (error !== undefined)
        return fail(new StreamLost("the stream was reset", { cause: error }));
      onEnd();
    };
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    stream.addEventListener("remoteCloseWrite", onPeerClosed);
    stream.addEventListener("end", onEnd);
    stream.addEventListener("close", onClose);
    stream.addEventListener("message", onMessage);
    if (isRead()) onEnd();
    else if (stream.status !== "open") fail(new StreamLost(`the stream is ${stream.status}`));
  });
}

function wasReset(cause?: Error): StreamLost {
  return new StreamLost("the stream was reset", cause === undefined ? undefined : { cause });
}

/** Sends one frame, and waits until there is room for the next. Throws if the stream ends or `signal` aborts. */
export function sendFrame(stream: Stream, message: Uint8Array, signal: AbortSignal): Promise<void> {
  return sendBytes(stream, encodeFrame(message), signal);
}

/** The same for frames that are encoded already. */
export async function sendBytes(
  stream: Stream,
  frames: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  stream.send(frames);
  // Not `onDrain`: its promise stays settled after the first time (libp2p 3.3).
  while (stream.writableNeedsDrain) await drained(stream, signal);
}

function drained(stream: Stream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      stream.removeEventListener("drain", onDrain);
      stream.removeEventListener("close", onClose);
      signal.removeEventListener("abort", onAbort);
      finish();
    };
    const onDrain = () => settle(resolve);
    const onClose = () => settle(() => reject(new StreamLost("the stream ended unread")));
    const onAbort = () => settle(() => reject(signal.reason));
    if (signal.aborted) return reject(signal.reason);
    if (stream.writeStatus === "closed") return reject(new StreamLost("the stream ended unread"));
    stream.addEventListener("drain", onDrain);
    stream.addEventListener("close", onClose);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** Resolves once both sides have closed the stream, or it is lost; rejects when `signal` aborts. */
export function ended(stream: Stream, signal: AbortSignal): Promise<void> {
  if (stream.status !== "open") return Promise.resolve();
  return new Promise((resolve, reject) => {
    const onClose = () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    };
    const onAbort = () => {
      stream.removeEventListener("close", onClose);
      reject(signal.reason);
    };
    if (signal.aborted) return reject(signal.reason);
    stream.addEventListener("close", onClose, { once: true });
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** What went wrong on a stream, as an Error, which is what libp2p takes. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
