/** `GET /state/:key`: a value of the embedded key-value store, with the height it was read at. */

import { z } from "zod";
import { type ClientSignal, json, type Route } from "./answer.ts";
import type { NodeApi, ReadOutcome } from "./api.ts";
import { decode } from "./decode.ts";
import { base64, utf8 } from "./encoding.ts";
import { badRequest, Refusal, sentence } from "./errors.ts";
import { retryAfterMs } from "./submission.ts";

const querySchema = z.strictObject({
  consistency: z
    .enum(["linearizable", "stale"], { error: "must be `linearizable` or `stale`" })
    .default("linearizable"),
});

/** The rest of the path, so that a key may contain slashes. */
const paramsSchema = z.object({ "*": z.string() });

export function stateRoutes(api: NodeApi, clientSignal: ClientSignal): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/state/*",
      shownAs: "/state/:key",
      summary: "A value of the embedded store. ?consistency=linearizable (default) or stale",
      handle: async (request) => {
        const { consistency } = decode(querySchema, request.query, "query");
        const { "*": key } = decode(paramsSchema, request.params, "path");
        if (key === "") throw badRequest("The key is missing: GET /state/KEY.");
        const keyBytes = new TextEncoder().encode(key);
        const outcome = await api.readState(keyBytes, consistency, clientSignal(request));
        return json(stateValue(key, outcome));
      },
    },
  ];
}

/** `value` is null where the bytes are not text; `value_base64` always has them. */
interface StateValue {
  readonly key: string;
  readonly value: string | null;
  readonly value_base64: string;
  readonly height: number;
}

function stateValue(key: string, outcome: ReadOutcome): StateValue {
  switch (outcome.kind) {
    case "value": {
      const { value, height } = outcome;
      if (value !== null) return { key, value: utf8(value), value_base64: base64(value), height };
      throw new Refusal(
        { code: "KEY_NOT_FOUND", height },
        `There is no key ${JSON.stringify(key)} at height ${height}.`,
      );
    }
    case "unavailable":
      throw new Refusal(
        { code: "UNAVAILABLE", retry_after_ms: retryAfterMs },
        `${sentence(outcome.reason)} Try again, or read this node's own state with ?consistency=stale.`,
      );
    case "unsupported":
      throw new Refusal({ code: "UNSUPPORTED" }, sentence(outcome.reason));
  }
}
