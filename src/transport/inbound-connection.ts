/**
 * One connection from a peer: reads requests, hands them on, and writes the answers in order. It stops
 * reading while too much is unanswered, so a peer that asks faster than we answer waits in its own TCP
 * window and not in our memory.
 */

import type { Socket } from "node:net";
import { assert } from "../base/assert.ts";
import { emptyBytes } from "../base/bytes.ts";
import { describeError } from "../base/coded-error.ts";
import type { RequestMessage } from "../raft/message.ts";
import type { ServerId } from "../raft/types.ts";
import { AnswerQueue, type SlotTable } from "./answer-queue.ts";
import { badFrame, TransportError } from "./errors.ts";
import type { InboundEnd } from "./event.ts";
import type { ExtensionAnswer, ExtensionCall } from "./extension.ts";
import { textOf } from "./fields.ts";
import { type Frame, FrameReader } from "./frame-reader.ts";
import { stallProgressBytes, type TransportLimits } from "./limits.ts";
import {
  decodeRequest,
  isForeign,
  isHeartbeat,
  messageOf,
  senderAddress,
  type WireRequest,
} from "./requests.ts";
import { otherChain, unsupportedVersion } from "./responses.ts";
import { closeSoon, plainBytes, socketErrorText, writeTogether } from "./socket.ts";

export type InboundEndKind = InboundEnd["kind"];

export type Sender =
  | { readonly kind: "member"; readonly peerId: ServerId }
  | { readonly kind: "stranger"; readonly reason: string };

export interface InboundDependencies {
  readonly limits: TransportLimits;
  readonly localId: ServerId;
  readonly slots: SlotTable;
  /** Who sent a request, by the names in its header. */
  identify(id: string, address: string): Sender;
  /** Takes a place for a snapshot being received; false if all are taken. */
  beginSnapshot(): boolean;
  endSnapshot(): void;
  /** The chain whose members are heard; null if all are. */
  readonly chain: Uint8Array | null;
  encodeRefusal(error: string): readonly Uint8Array[];
  encodeExtensionAnswer(answer: ExtensionAnswer): readonly Uint8Array[];
  onIdentified(connection: InboundConnection, peerId: ServerId): void;
  onMessage(request: RequestMessage): void;
  onExtension(
    peerId: ServerId,
    call: ExtensionCall,
    respond: (answer: ExtensionAnswer) => void,
  ): void;
  onEnd(connection: InboundConnection, kind: InboundEndKind, reason: string): void;
}

type SnapshotRequest = Extract<WireRequest, { rpc: "installSnapshot" }>;

export class InboundConnection {
  readonly remoteAddress: string;
  readonly #socket: Socket;
  readonly #dependencies: InboundDependencies;
  readonly #reader: FrameReader;
  #peerId: ServerId | null = null;
  readonly #answers: AnswerQueue;
  #requests = 0;
  /** The InstallSnapshot whose raw bytes are coming in. */
  #snapshot: SnapshotRequest | null = null;
  #isClosed = false;
  #isReading = false;
  #isPaused = false;
  /** What the last look at the connection's progress found. */
  #progress: { atMs: number; requests: number; receivedBytes: number; takenBytes: number };

  constructor(socket: Socket, remoteAddress: string, dependencies: InboundDependencies) {
    this.remoteAddress = remoteAddress;
    this.#socket = socket;
    this.#dependencies = dependencies;
    this.#reader = new FrameReader("request", dependencies.limits.frameSizeMaxBytes);
    this.#answers = new AnswerQueue({
      slots: dependencies.slots,
      write: (answer) => writeTogether(socket, answer),
      onAnswered: () => this.#read(),
    });
    this.#progress = { atMs: performance.now(), requests: 0, receivedBytes: 0, takenBytes: 0 };
    socket.on("data", (chunk: Buffer) => {
      if (this.#isClosed) return;
      this.#reader.push(plainBytes(chunk));
      this.#read();
    });
    socket.on("drain", () => this.#read());
    socket.on("error", (error) => this.end("inboundClosed", socketErrorText(error)));
    socket.on("end", () => this.end("inboundClosed", "closed by the peer"));
    socket.on("close", () => this.end("inboundClosed", "closed"));
  }

  /** Who is at the other end; null before its first good request. */
  get peerId(): ServerId | null {
    return this.#peerId;
  }

  get requests(): number {
    return this.#requests;
  }

  /** Closes at once; `kind` and `reason` tell why. Only the first call counts. */
  end(kind: InboundEndKind, reason: string): void {
    if (this.#isClosed) return;
    this.#socket.destroy();
    this.#ended(kind, reason);
  }

  /** Reads no more, and closes once what was written has gone out. */
  close(reason: string): void {
    this.#endSoon("inboundClosed", reason);
  }

  /** Closes a connection that hangs. Called now and then, so that no frame needs a timer of its own. */
  checkProgress(nowMs: number): void {
    const { limits } = this.#dependencies;
    const last = this.#progress;
    const takenBytes = this.#socket.bytesWritten - this.#socket.writableLength;
    const receivedBytes = this.#reader.totalBytes;
    const isHalfRead = !this.#isPaused && (this.#reader.isPartial || this.#requests === 0);
    const isHalfWritten = this.#socket.writableLength > 0;
    const isMoving =
      this.#requests !== last.requests ||
      receivedBytes - last.receivedBytes >= stallProgressBytes ||
      takenBytes > last.takenBytes;
    if (isMoving || (!isHalfRead && !isHalfWritten)) {
      this.#progress = { atMs: nowMs, requests: this.#requests, receivedBytes, takenBytes };
    } else if (nowMs - last.atMs >= limits.stallTimeoutMs) {
      const what = isHalfWritten ? "does not read its answers" : "sent no complete request";
      this.end("stalled", `${what} for ${Math.round(nowMs - last.atMs)} ms`);
    }
  }

  /** Reads frames while there are any and answers keep up. */
  #read(): void {
    if (this.#isReading) return; // an answer given within the loop below: the loop goes on by itself
    this.#isReading = true;
    try {
      while (this.#mayRead()) {
        const frame = this.#reader.next();
        if (frame === null) break;
        this.#onFrame(frame);
      }
    } catch (error) {
      if (!(error instanceof TransportError) || error.code !== "TRANSPORT_BAD_FRAME") throw error;
      this.end("garbageReceived", describeError(error));
    } finally {
      this.#isReading = false;
    }
    this.#pauseOrResume();
  }

  #mayRead(): boolean {
    const { limits } = this.#dependencies;
    return (
      !this.#isClosed &&
      this.#answers.length < limits.openRequestsMax &&
      this.#answers.sizeBytes < limits.openRequestsMaxBytes &&
      // Below its own mark the socket would not tell us when there is room again.
      this.#socket.writableLength <
        Math.max(limits.outputMaxBytes, this.#socket.writableHighWaterMark)
    );
  }

  #pauseOrResume(): void {
    if (this.#isClosed || this.#isPaused === !this.#mayRead()) return;
    this.#isPaused = !this.#isPaused;
    if (this.#isPaused) this.#socket.pause();
    else this.#socket.resume();
  }

  #onFrame(frame: Frame): void {
    if (frame.type === null) return this.#onSnapshotBytes(frame.bytes);
    const request = decodeRequest(frame.type, frame.bytes);
    const peerId = this.#identify(request);
    if (peerId === null) return;
    this.#requests++;
    const refusal = this.#refusalOf(request);
    if (refusal !== null) {
      this.#refuse(refusal);
      // The bytes of a refused snapshot follow, and would be taken for requests.
      if (request.rpc === "installSnapshot") this.#endSoon("requestRefused", refusal);
      return;
    }
    switch (request.rpc) {
      case "installSnapshot":
        return this.#beginSnapshot(request);
      case "extension":
        return this.#onExtension(peerId, request, frame.bytes.length);
      default:
        return this.#deliver(peerId, request, emptyBytes, frame.bytes.length);
    }
  }

  /** Why a member's request does not reach the core; null if it does. */
  #refusalOf(request: WireRequest): string | null {
    if (!isVersionSupported(request)) return unsupportedVersion;
    return isForeign(request, this.#dependencies.chain) ? otherChain : null;
  }

  /** The member that sent `request`; null, and the end of the connection, if it is none. */
  #identify(request: WireRequest): ServerId | null {
    const { ID } = request.body;
    const sender = this.#dependencies.identify(textOf(ID), senderAddress(request));
    if (sender.kind === "stranger") {
      this.end("strangerRefused", sender.reason);
      return null;
    }
    if (this.#peerId !== null && this.#peerId !== sender.peerId) {
      throw badFrame(`requests of ${this.#peerId} and ${sender.peerId} on one connection`);
    }
    if (this.#peerId === null) {
      this.#peerId = sender.peerId;
      this.#dependencies.onIdentified(this, sender.peerId);
    }
    return sender.peerId;
  }

  #deliver(
    peerId: ServerId,
    request: Exclude<WireRequest, { rpc: "extension" }>,
    stream: Uint8Array,
    sizeBytes: number,
  ): void {
    // Decoded before a slot is opened: what turns out to be garbage needs no answer.
    const envelope = { from: peerId, to: this.#dependencies.localId, id: 0 };
    const message = messageOf(request, envelope, stream);
    const { handle } = this.#answers.open(message.kind, sizeBytes + stream.length);
    this.#dependencies.onMessage({ ...message, id: handle });
  }

  #onExtension(
    peerId: ServerId,
    { body }: Extract<WireRequest, { rpc: "extension" }>,
    sizeBytes: number,
  ): void {
    const slot = this.#answers.open("other", sizeBytes);
    const call = { method: textOf(body.Method), body: body.Body ?? emptyBytes };
    this.#dependencies.onExtension(peerId, call, (answer) =>
      this.#answers.answer(slot, this.#dependencies.encodeExtensionAnswer(answer)),
    );
  }

  #beginSnapshot(request: SnapshotRequest): void {
    const { limits } = this.#dependencies;
    const { Size, SnapshotVersion } = request.body;
    if (typeof Size === "bigint" || Size < 0 || Size > limits.snapshotSizeMaxBytes) {
      return this.#refuseSnapshot(
        `snapshot of ${Size} bytes refused: the limit is ${limits.snapshotSizeMaxBytes}`,
      );
    }
    if (SnapshotVersion !== 1) {
      return this.#refuseSnapshot(`unsupported snapshot version ${SnapshotVersion}`);
    }
    if (!this.#dependencies.beginSnapshot()) {
      return this.#refuseSnapshot("snapshot refused: others are being received");
    }
    this.#snapshot = request;
    this.#reader.expectStream(Size);
  }

  /** Answers, and closes: the snapshot's bytes that follow are not read. */
  #refuseSnapshot(error: string): void {
    this.#refuse(error);
    this.#endSoon("requestRefused", error);
  }

  #onSnapshotBytes(bytes: Uint8Array): void {
    const request = this.#snapshot;
    assert(request !== null, "raw bytes follow an InstallSnapshot");
    assert(this.#peerId !== null, "an InstallSnapshot named its sender");
    this.#snapshot = null;
    this.#dependencies.endSnapshot();
    this.#deliver(this.#peerId, request, bytes, 0);
  }

  #refuse(error: string): void {
    const slot = this.#answers.open("other", 0);
    this.#answers.answer(slot, this.#dependencies.encodeRefusal(error));
  }

  #endSoon(kind: InboundEndKind, reason: string): void {
    if (this.#isClosed) return;
    closeSoon(this.#socket);
    this.#ended(kind, reason);
  }

  #ended(kind: InboundEndKind, reason: string): void {
    this.#isClosed = true;
    if (this.#snapshot !== null) this.#dependencies.endSnapshot();
    this.#snapshot = null;
    this.#answers.close();
    this.#dependencies.onEnd(this, kind, reason);
  }
}

/** As hashicorp: 2 or 3, and heartbeats are not asked. */
function isVersionSupported(request: WireRequest): boolean {
  const { ProtocolVersion } = request.body;
  if (ProtocolVersion === 2 || ProtocolVersion === 3) return true;
  return request.rpc === "appendEntries" && isHeartbeat(request.body);
}
