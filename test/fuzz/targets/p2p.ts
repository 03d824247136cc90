/** What peers send over libp2p, and the addresses that operators give of them. */

import { concatBytes } from "../../../src/base/bytes.ts";
import { encodeFrame, FrameDecoder } from "../../../src/block/framing.ts";
import {
  decodeHeaderRequest,
  decodeHeaderResponse,
  decodeP2PSignedHeader,
  encodeHeaderRequest,
  encodeHeaderResponse,
  encodeP2PSignedHeader,
} from "../../../src/block/p2p-codec.ts";
import { P2pError } from "../../../src/p2p/errors.ts";
import { parseListenAddress } from "../../../src/p2p/listen-address.ts";
import { readPeerList } from "../../../src/p2p/peer-list.ts";
import { decodeServed, encodeServed } from "../../../src/p2p/protocol.ts";
import { firstHead, sampleBlock, signer } from "../../block/sample.ts";
import { protobuf } from "../shape-protobuf.ts";
import { json } from "../shapes.ts";
import { checkCodec, Defect, type Outcome, type Target, textOf, utf8 } from "../target.ts";
import { isBlockError } from "./block.ts";
import { piecesOf } from "./transport.ts";

const frameMaxBytes = 16 * 1024;
/** Of a stream. Each reader that refuses one makes an error, and errors are large: a stream of empty frames would be little else. */
const framesTried = 256;
const signed = signer.sign(sampleBlock(firstHead).header.header);
const body = encodeP2PSignedHeader({ signed, daHeightHint: 0 });
const ok = encodeFrame(encodeHeaderResponse({ kind: "ok", body }));
const notFound = encodeFrame(encodeHeaderResponse({ kind: "notFound" }));
const request = encodeFrame(encodeHeaderRequest({ kind: "range", origin: 3, amount: 64 }));

interface ReadFrames {
  readonly frames: readonly Uint8Array[];
  readonly isCut: boolean;
  readonly isRefused: boolean;
}

/** As both sides of an exchange read a stream: the frames up to the one that is none. */
function readFrames(pieces: readonly Uint8Array[]): ReadFrames {
  const decoder = new FrameDecoder(frameMaxBytes);
  const frames: Uint8Array[] = [];
  try {
    for (const piece of pieces) frames.push(...decoder.push(piece));
  } catch (error) {
    if (!isBlockError(error)) throw error;
    return { frames, isCut: true, isRefused: true };
  }
  return { frames, isCut: decoder.isInsideFrame, isRefused: false };
}

function checkStream(input: Uint8Array): Outcome {
  const whole = readFrames([input]);
  const cut = readFrames(piecesOf(input));
  // The frames of the piece in which the bad one begins are lost with it.
  const isAlike = whole.isRefused
    ? cut.isRefused && cut.frames.length >= whole.frames.length
    : whole.isCut === cut.isCut && whole.frames.length === cut.frames.length;
  if (!isAlike) throw new Defect("reads otherwise in pieces");
  const taken = whole.frames.slice(0, framesTried).findIndex((frame) => !isTakenByAny(frame));
  return taken === 0 || whole.frames.length === 0 ? "refused" : "taken";
}

/** A frame that is none ends the stream. */
function isTakenByAny(frame: Uint8Array): boolean {
  const readers = [decodeHeaderRequest, decodeServed, takeResponse];
  return readers.filter((read) => isTaken(() => read(frame))).length > 0;
}

function takeResponse(frame: Uint8Array): void {
  const response = decodeHeaderResponse(frame);
  if (response.kind === "ok") decodeP2PSignedHeader(response.body);
}

function isTaken(decode: () => unknown): boolean {
  try {
    decode();
    return true;
  } catch (error) {
    if (isBlockError(error)) return false;
    throw error;
  }
}

const peerId = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5";
const peerWords = [
  "/p2p/",
  "/tcp/",
  "/ip4/",
  "/ip6/",
  "/ip6zone/",
  "/ipcidr/",
  "/dns4/",
  "/dnsaddr/",
  "/unix/",
  "/quic-v1",
  "/p2p-circuit",
  "/tls/ws",
  "/certhash/uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ",
  "/onion3/",
  "/memory/",
  "/http-path/%2f",
  "/webrtc-direct",
  "/garlic64/",
  "12D3KooW",
  "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
  "bafzaajaiaejca4syrpdu6gdx4wsdnokxkprgzxf4wrstuc34gxw5k5jrag2so5gk",
  "k51qzi5uqu5dkkciu33khkzbcmxtyhn376i1e83tya8kuy7z9euedzyr5nhoew",
  "16Uiu2HAm",
  "::ffff:1.2.3.4",
].map(utf8);

function checkAddress(read: (text: string) => void): (input: Uint8Array) => Outcome {
  return (input) => {
    try {
      read(textOf(input));
      return "taken";
    } catch (error) {
      if (error instanceof P2pError && error.code === "P2P_BAD_ADDRESS") return "refused";
      throw error;
    }
  };
}

export const p2pTargets: readonly Target[] = [
  {
    name: "p2p-stream",
    shape: protobuf,
    seeds: [request, ok, concatBytes([ok, ok, notFound]), concatBytes([notFound, request])],
    check: checkStream,
    share: 4,
  },
  {
    name: "p2p-served",
    shape: protobuf,
    seeds: [
      encodeServed({ chainId: "evolve-test", blocks: { earliestHeight: 1, headHeight: 2 ** 40 } }),
      encodeServed({ chainId: "\ufeffc", blocks: null }),
    ],
    check: checkCodec({ decode: decodeServed, encode: encodeServed, isRefusal: isBlockError }),
    share: 4,
  },
  {
    name: "p2p-listen-address",
    shape: json,
    seeds: ["/ip4/0.0.0.0/tcp/26656", "/ip6/::/tcp/0", "/dns4/node-1.example/tcp/1"].map(utf8),
    words: peerWords,
    check: checkAddress(parseListenAddress),
  },
  {
    name: "p2p-peer-list",
    shape: json,
    seeds: [`/ip4/10.0.0.1/tcp/26656/p2p/${peerId}`, `/dns/a.b/tcp/1/p2p/${peerId}`].map(utf8),
    words: peerWords,
    check: checkAddress((text) => {
      readPeerList(peerId, { peers: [text], allowedPeers: [], blockedPeers: [] });
      readPeerList(peerId, { peers: [], allowedPeers: [text], blockedPeers: [text] });
    }),
  },
];
