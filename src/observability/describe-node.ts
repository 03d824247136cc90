/** NodeEvent -> its log line. One line per block at info: operators measure a failover with grep. */
import { unreachable } from "../base/assert.ts";
import { toHex } from "../base/bytes.ts";
import type { Narration } from "./narration.ts";
import { line, repeated } from "./narration.ts";
import type { NodeEvent } from "./node-event.ts";

export function describeNodeEvent(event: NodeEvent): Narration {
  switch (event.kind) {
    case "blockProduced":
      return line("", "info", blockFacts(event.block), "block produced");
    case "blockApplied":
      // A node that was away fetches thousands of these; backfillProgress tells of them.
      return event.source === "raft"
        ? line("", "info", blockFacts(event.block), "block applied from raft log")
        : line("", "debug", blockFacts(event.block), "block applied from p2p");
    case "blockRefused": {
      const facts = { ...blockFacts(event), index: event.raftIndex, reason: event.reason };
      return line("", "error", facts, "committed block refused");
    }
    case "stateChanged": {
      const { from, to, reason } = event;
      return line("", "info", { from, to, reason }, "node state changed");
    }
    case "readinessChanged":
      return event.isReady
        ? line("", "info", {}, "node is ready")
        : line("", "warn", { reason: event.reason }, "node is not ready");
    case "backfillProgress": {
      const { phase, height, remaining, etaSeconds } = event;
      const blocksPerSecond = Math.round(event.blocksPerSecond);
      const facts = { height, remaining, blocksPerSecond, etaSeconds };
      const sentence =
        phase === "blocks" ? "fetching missing blocks" : "checking the headers of missing blocks";
      return line("p2p", "info", facts, sentence);
    }
    case "backfillBegan": {
      const { fromHeight: from, toHeight: to } = event;
      return line(
        "p2p",
        "info",
        { from, to },
        "blocks are missing, fetching them from other nodes",
      );
    }
    case "replayProgress": {
      const { height, remaining } = event;
      return line("execution", "info", { height, remaining }, "executing stored blocks again");
    }
    case "replayEnded": {
      const { height, blocks } = event;
      const seconds = Math.round(event.seconds * 10) / 10;
      return line("execution", "info", { height, blocks, seconds }, "executed stored blocks again");
    }
    case "backfillWaiting": {
      const { fromHeight: from, toHeight: to, reason, oldest } = event;
      const available =
        oldest === null ? {} : { oldestAvailable: oldest.height, peer: oldest.peerId };
      return line("p2p", "warn", { from, to, reason, ...available }, "waiting for missing blocks");
    }
    case "backfillEnded": {
      const { height, blocks } = event;
      const seconds = Math.round(event.seconds * 10) / 10;
      const blocksPerSecond = Math.round(blocks / Math.max(event.seconds, 0.001));
      return line(
        "p2p",
        "info",
        { height, blocks, seconds, blocksPerSecond },
        "missing blocks fetched",
      );
    }
    case "blocksPruned": {
      const { removed, earliest, latest } = event;
      return line("", "info", { removed, earliest, latest }, "old blocks removed");
    }
    case "offerRefused": {
      const { leaderId: leader, reason } = event;
      const narration = line(
        "",
        "warn",
        { leader, reason },
        "leader takes no transactions of ours",
      );
      return repeated(`offerRefused/${leader}/${reason}`, narration);
    }
    case "blockNotTaken": {
      const { height, reason } = event;
      const narration = line(
        "",
        "warn",
        { height, reason },
        "block not taken into the log, building another",
      );
      return repeated(`blockNotTaken/${reason}`, narration);
    }
    case "waitsForGenesis": {
      const until = new Date(event.untilMs).toISOString();
      return line("", "info", { until }, "the first block waits for the time of the genesis");
    }
    case "txDropped": {
      const { txId, reason } = event;
      const facts = { tx: `0x${toHex(txId)}`, reason };
      return line("", "warn", facts, "transaction dropped, no block can take it");
    }
    case "dataDiskSlow": {
      const [takesMs, limitMs] = [Math.round(event.takesMs), Math.round(event.limitMs)];
      return line("", "warn", { takesMs, limitMs }, "the disk of the data directory is slow");
    }
    case "dataDiskWell":
      return line("", "info", {}, "the disk of the data directory is fast enough again");
    case "blockDamaged": {
      const { height, reason } = event;
      return line("", "error", { height, reason }, "stored block is damaged, fetching it again");
    }
    case "blockRepaired":
      return line("", "info", { height: event.height }, "damaged block repaired");
    case "badPeer": {
      const { peerId: peer, reason } = event;
      return line(
        "p2p",
        "warn",
        { peer, reason },
        "peer served a bad block, dropped until restart",
      );
    }
    case "executionFailed": {
      const { height, error } = event;
      const narration = line("execution", "warn", { height, error }, "execution failed, retrying");
      return repeated("executionFailed", narration);
    }
    case "executionRecovered": {
      const facts = { height: event.height, downMs: Math.round(event.downMs) };
      return line("execution", "info", facts, "execution works again");
    }
    case "peerConnected": {
      const { peerId: peer, address } = event;
      return repeated(
        `connected/${peer}`,
        line("raft", "info", { peer, address }, "peer connected"),
      );
    }
    case "peerDisconnected": {
      const { peerId: peer, reason } = event;
      const narration = line("raft", "info", { peer, reason }, "peer disconnected");
      return repeated(`disconnected/${peer}`, narration);
    }
    case "connectionRefused": {
      const { address, cause, reason } = event;
      const narration = line("raft", "warn", { address, cause, reason }, "connection refused");
      // By cause, not by address: a scan comes from one address or a thousand.
      return repeated(`refused/${cause}`, narration);
    }
    default:
      return unreachable(event);
  }
}

function blockFacts({ height, hash }: { readonly height: number; readonly hash: Uint8Array }) {
  return { height, hash: `0x${toHex(hash)}` };
}
