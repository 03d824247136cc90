/**
 * What faults come to. Each is counted where it takes effect, and not where it is begun: a fault that reaches nobody
 * tests nothing.
 */

/** In the chaos. */
export const disturbances = [
  "held by a cut",
  "held by a cut one way",
  "message lost",
  "message delayed",
  "request arrived twice",
  "request arrived late",
  "connection reset",
  "refused by a dead process",
  "swallowed by a dark host",
  "gone told falsely",
  "waited for a sleeper",
  "died within a step",
  "short reign",
  "writes lost",
  "writes lost with power",
  "writes torn",
  "write stalled",
  "write slowed",
  "disk broken",
  "disk full",
  "bit flipped",
  "damage read",
  "damage looked for",
] as const;

/** In the calm, to those who are not among the healthy majority, and to one of it that it can do without. */
export const calmDisturbances = [
  "held by a cut",
  "held by a cut one way",
  "held as too large",
  "waited for a sleeper",
  "write slowed",
  "write withheld",
] as const;

export type Disturbance = (typeof disturbances)[number] | (typeof calmDisturbances)[number];
