/** Which key somebody meant who wrote one that does not exist. */

import { nearest } from "./nearest.ts";
import { allKeys, findKey, sectionNames } from "./schema.ts";

/**
 * The nearest known key: first within the section that was named, then the same last word in any
 * section (`node_id` under `node`), then anywhere.
 */
export function suggestKey(name: string): string | null {
  const lower = name.toLowerCase().replaceAll("-", "_");
  const dot = lower.indexOf(".");
  const section = dot < 0 ? "" : lower.slice(0, dot);
  const shortName = lower.slice(dot + 1);
  const inSection = allKeys.filter((key) => key.section === section);
  const near = nearest(
    shortName,
    inSection.map((key) => key.shortName),
  );
  if (near !== null) return inSection.find((key) => key.shortName === near)?.name ?? null;
  const sameWord = allKeys.find((key) => key.shortName === shortName && key.section !== "da");
  if (sameWord !== undefined) return sameWord.name;
  return nearest(
    lower,
    allKeys.map((key) => key.name),
  );
}

export function suggestSection(name: string): string | null {
  return nearest(name, sectionNames());
}

/** `; did you mean x?`, or where to look if nothing is near. */
export function didYouMean(suggestion: string | null, otherwise: string): string {
  return suggestion === null ? `; ${otherwise}` : `; did you mean ${suggestion}?`;
}

/** The flag nearest to an unknown one. */
export function suggestFlag(flag: string): string | null {
  const prefix = /^--(evnode|rollkit)\./.exec(flag);
  if (prefix !== null) {
    const suggestion = suggestKey(flag.slice(prefix[0].length));
    return suggestion === null ? null : (findKey(suggestion)?.flag ?? null);
  }
  return nearest(flag, ["--home", ...allKeys.map((key) => key.flag)]);
}
