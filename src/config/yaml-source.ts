/** Settings from evnode.yaml, each with its line and column. */

import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type YAMLError,
  type YAMLMap,
} from "yaml";
import type { Origin, Problem } from "./problem.ts";
import { findKey, isKeyPrefix, type NamedKey } from "./schema.ts";
import type { Setting, Source } from "./settings.ts";
import { didYouMean, suggestKey, suggestSection } from "./suggest.ts";

/** Beyond this many the first ones have to be mended before the rest means anything. */
const syntaxErrorsMax = 5;

export interface YamlSource extends Source {
  /** False if the text is no YAML: then nothing is known about its settings. */
  readonly isReadable: boolean;
}

/** `path` is only for messages. An empty text, or one of comments, holds no settings. */
export function readYaml(source: string, path: string): YamlSource {
  const text = source.startsWith("\uFEFF") ? source.slice(1) : source;
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false, // Ours ignores case and says where the first one is.
  });
  const originAt = (offset: number): Origin => {
    const { line, col } = lines.linePos(offset);
    return { kind: "file", path, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const [first, second] = Array.from(documents);
  if (first === undefined) return { settings: [], problems: [], isReadable: true };
  if (first.errors.length > 0) {
    return { settings: [], problems: syntaxProblems(first.errors, originAt), isReadable: false };
  }
  const reader = new YamlReader(first, originAt);
  reader.readRoot();
  if (second !== undefined) {
    const at = second.contents?.range?.[0] ?? second.range[0];
    reader.refuse(at, null, "a second YAML document begins here; keep one, without --- between");
  }
  return { settings: reader.settings, problems: reader.problems, isReadable: true };
}

/** One for each place: what follows from the first error there is no news. */
function syntaxProblems(
  errors: readonly YAMLError[],
  originAt: (offset: number) => Origin,
): readonly Problem[] {
  const firstByPlace = new Map<number, YAMLError>();
  for (const error of errors) {
    if (!firstByPlace.has(error.pos[0])) firstByPlace.set(error.pos[0], error);
  }
  return [...firstByPlace.values()].slice(0, syntaxErrorsMax).map(({ code, message, pos }) => ({
    severity: "error",
    origin: originAt(pos[0]),
    key: null,
    message: `is not valid YAML: ${message}${syntaxAdvice(code)}`,
  }));
}

function syntaxAdvice(code: string): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return "; indent with spaces, not with tabs";
    case "BAD_INDENT":
      return "; keys of one section must begin in the same column";
    case "MISSING_CHAR":
      return "; a quote or bracket is not closed, or the file was cut off";
    case "MULTILINE_IMPLICIT_KEY":
    case "BLOCK_AS_IMPLICIT_KEY":
      return "; here or in the next line a key begins in the wrong column, or a quote is missing";
    default:
      return "";
  }
}

class YamlReader {
  readonly settings: Setting[] = [];
  readonly problems: Problem[] = [];
  readonly #document: Document.Parsed;
  readonly #originAt: (offset: number) => Origin;
  readonly #originByKey = new Map<NamedKey, Origin>();

  constructor(document: Document.Parsed, originAt: (offset: number) => Origin) {
    this.#document = document;
    this.#originAt = originAt;
  }

  readRoot(): void {
    const root = this.#document.contents;
    if (root === null || (isScalar(root) && root.value === null)) return;
    if (isMap(root)) return this.#readMap(root, "");
    this.refuse(
      startOf(root),
      null,
      "is not a list of keys; write sections such as raft: and node:",
    );
  }

  refuse(offset: number, key: string | null, message: string): void {
    this.problems.push({ severity: "error", origin: this.#originAt(offset), key, message });
  }

  /** `prefix` ends in a dot, or is empty at the top. */
  #readMap(map: YAMLMap, prefix: string): void {
    for (const { key: nameNode, value } of map.items) {
      if (!isScalar(nameNode)) continue;
      const name = prefix + textOf(nameNode);
      const at = startOf(nameNode);
      const node = this.#resolve(value);
      if (findKey(name) !== null || !isKeyPrefix(name)) this.#readSetting(name, at, node);
      else if (isMap(node)) this.#readMap(node, `${name}.`);
      else if (node !== null && !(isScalar(node) && node.value === null)) {
        this.refuse(at, name, "is a section; write its keys on the lines below it, indented");
      }
    }
  }

  #readSetting(name: string, at: number, node: Node | null): void {
    const key = findKey(name);
    if (key === null) {
      const isSection = isMap(node);
      const suggestion = isSection ? suggestSection(name) : suggestKey(name);
      const advice = didYouMean(suggestion, "evm config default prints every key");
      this.refuse(at, name, `is no known ${isSection ? "section" : "key"}${advice}`);
      return;
    }
    const origin = this.#originAt(node === null ? at : startOf(node));
    const earlier = this.#originByKey.get(key);
    if (earlier !== undefined) {
      const line = earlier.kind === "file" ? earlier.line : 0;
      this.refuse(at, name, `is set twice, first in line ${line}; remove one of them`);
      return;
    }
    this.#originByKey.set(key, origin);
    if (key.isFlagOnly) {
      const advice = `write signer.passphrase_file, or set EV_SIGNER_PASSPHRASE`;
      this.refuse(at, name, `does not belong in a file that others may read; ${advice}`);
      return;
    }
    const text = this.#valueText(key, node);
    if (typeof text === "string") this.settings.push({ key, text, origin });
    else if (text !== null) this.refuse(startOf(node), name, text.problem);
  }

  /** The value as text; null if there is none, which leaves the default. */
  #valueText(key: NamedKey, node: Node | null): string | { readonly problem: string } | null {
    if (node === null || (isScalar(node) && node.value === null)) return null;
    if (isScalar(node)) return textOf(node);
    if (isMap(node))
      return { problem: `is one value, not a section; write ${key.shortName}: VALUE` };
    if (!isSeq(node)) return { problem: `is no ${key.type}` };
    if (!key.isList)
      return { problem: "is one value, not a list; remove the dash or the brackets" };
    const items = node.items.map((item) => this.#resolve(item));
    if (!items.every((item) => isScalar(item))) {
      return { problem: "has an entry that is no plain value; write one text for each entry" };
    }
    return items.map((item) => (isScalar(item) ? textOf(item) : "")).join(",");
  }

  #resolve(value: unknown): Node | null {
    if (isAlias(value)) return value.resolve(this.#document) ?? null;
    return isNode(value) ? value : null;
  }
}

/** A plain scalar as it was written (`010`, `1e3`, `true`), and a quoted or block one as it means. */
function textOf(node: Node): string {
  if (!isScalar(node)) return "";
  if (node.type === "PLAIN" && node.source !== undefined) return node.source;
  return typeof node.value === "string" ? node.value : String(node.source ?? node.value);
}

function startOf(node: Node | null): number {
  return node?.range?.[0] ?? 0;
}
