/** The product's source with a mutant's edits, as Node loads it; the files themselves are left alone. */

import { registerHooks } from "node:module";
import type { Edit } from "./mutant.ts";

const source = new URL("../../../src/", import.meta.url);

/** Throws unless each `find` stands in `text` exactly once: an edit that misses would prove nothing. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  let edited = text;
  for (const { file, find, replace } of edits) {
    const count = edited.split(find).length - 1;
    if (count !== 1) throw new Error(`src/${file} has ${count} times, and not once: ${find}`);
    edited = edited.replace(find, () => replace);
  }
  return edited;
}

export function urlOf({ file }: Edit): string {
  return new URL(file, source).href;
}

/**
 * From here on this thread loads the edited files. It must not have loaded any of them before. Returns the
 * edits that no import has met so far.
 */
export function loadWith(edits: readonly Edit[]): () => readonly Edit[] {
  const unmet = new Set(edits);
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context);
      const here = edits.filter((edit) => urlOf(edit) === url);
      if (here.length === 0) return loaded;
      for (const edit of here) unmet.delete(edit);
      const text = typeof loaded.source === "string" ? loaded.source : decode(loaded.source);
      return { ...loaded, source: applyEdits(text, here) };
    },
  });
  return () => [...unmet];
}

function decode(source: ArrayBuffer | NodeJS.TypedArray | undefined): string {
  if (source === undefined) throw new Error("a file of the product has a text");
  return new TextDecoder().decode(source);
}
