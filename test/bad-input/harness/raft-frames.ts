/** Frames of the Raft port, from whoever the test wants them to be from. */

import { concatBytes } from "../../../src/base/bytes.ts";
import type { RequestMessage } from "../../../src/raft/message.ts";
import type { ExtensionCall } from "../../../src/transport/extension.ts";
import { identityOf } from "../../../src/transport/fields.ts";
import { MsgpackWriter } from "../../../src/transport/msgpack-writer.ts";
import { encodeExtensionCall, encodeRequest } from "../../../src/transport/requests.ts";

const address = "127.0.0.1:1";

export function requestFrame(request: RequestMessage): Uint8Array {
  const self = identityOf(request.from, address, null);
  return concatBytes(encodeRequest(new MsgpackWriter(), request, self));
}

export function extensionFrame(from: string, call: ExtensionCall): Uint8Array {
  return concatBytes(
    encodeExtensionCall(new MsgpackWriter(), call, identityOf(from, address, null)),
  );
}

export function heartbeatFrame(from: string, to: string, term: number): Uint8Array {
  return requestFrame({ kind: "heartbeatRequest", from, to, id: 1, term, sentAtMs: 0 });
}

/** An AppendEntries with one command of each of `terms` after `prev`. */
export function appendFrame(
  from: string,
  to: string,
  facts: {
    readonly term: number;
    readonly prev: { readonly term: number; readonly index: number };
    readonly terms: readonly number[];
    readonly firstIndex?: number;
  },
): Uint8Array {
  const { term, prev, terms, firstIndex = prev.index + 1 } = facts;
  return requestFrame({
    kind: "appendEntriesRequest",
    from,
    to,
    id: 1,
    term,
    prev,
    entries: terms.map((entryTerm, at) => ({
      index: firstIndex + at,
      term: entryTerm,
      kind: "command",
      data: new Uint8Array(8),
      extensions: null,
      appendedAt: null,
    })),
    leaderCommit: 1,
    sentAtMs: 0,
  });
}
