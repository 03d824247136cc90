/** Warnings for ev-node's keys that this program knows and does not implement. */

import { daInstead } from "./keys/da.ts";
import type { Problem } from "./problem.ts";
import type { Setting } from "./settings.ts";

/** One for each key that asks for something, and a single one for all of the `da` section. */
export function notImplementedWarnings(settings: ReadonlyMap<string, Setting>): readonly Problem[] {
  const asked = [...settings.values()].filter(({ key, text }) => {
    return key.use === "ignored" && key.instead !== null && !isDefault(key.initial, text);
  });
  const isDa = ({ key }: Setting) => key.section === "da";
  const warnings = asked
    .filter((setting) => !isDa(setting))
    .map(
      ({ key, origin }): Problem => ({
        severity: "warning",
        origin,
        key: key.name,
        message: `is a key of ev-node that is not implemented here: ${key.instead}`,
      }),
    );
  const [firstDa, ...otherDa] = asked.filter(isDa);
  if (firstDa === undefined) return warnings;
  const names = [firstDa, ...otherDa].map(({ key }) => key.name);
  const are = names.length === 1 ? "is a key" : "are keys";
  const message = `${are} of ev-node that ${names.length === 1 ? "is" : "are"} not implemented here: ${daInstead}`;
  return [
    ...warnings,
    { severity: "warning", origin: firstDa.origin, key: names.join(", "), message },
  ];
}

function isDefault(initial: string, text: string): boolean {
  return text.trim().toLowerCase() === initial;
}
