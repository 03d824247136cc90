/** What the processes of a hashing cluster are told, and what they say. */

import { z } from "zod";

export const Settings = z.object({
  id: z.string(),
  directory: z.string(),
  /** Of all members, this one included. */
  ports: z.record(z.string(), z.number()),
  snapshotThreshold: z.number(),
  trailingLogs: z.number(),
  snapshotBytes: z.number(),
  proposeEveryMs: z.number(),
});
export type Settings = z.infer<typeof Settings>;

/** The state machine after an entry. */
export const State = z.object({ index: z.number(), term: z.number(), hash: z.string() });
export type State = z.infer<typeof State>;

export const Said = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("started"), index: z.number() }),
  z.object({ kind: z.literal("event"), event: z.string() }),
  State.extend({ kind: z.literal("at") }),
  State.extend({ kind: z.literal("restored") }),
]);
export type Said = z.infer<typeof Said>;
