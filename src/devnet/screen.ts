/**
 * Where a devnet writes. On a terminal: lines that scroll away, and below them a table that is drawn
 * over itself. Elsewhere: lines only.
 */

import { stripVTControlCharacters } from "node:util";

export interface Terminal {
  readonly write: (text: string) => void;
  /** Whether it can move its cursor. */
  readonly isInteractive: boolean;
  readonly hasColor: boolean;
  /** null if that is not known. */
  readonly size: () => { readonly columns: number; readonly rows: number } | null;
}

const cursorUp = (lines: number) => (lines > 0 ? `\x1b[${lines}A` : "");
const clearToEndOfLine = "\x1b[K";
const clearBelow = "\x1b[J";

const defaultSize = { columns: 80, rows: 24 };

export class Screen {
  readonly #terminal: Terminal;
  #table: readonly string[] = [];
  #drawnLines = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  get isInteractive(): boolean {
    return this.#terminal.isInteractive;
  }

  get hasColor(): boolean {
    return this.#terminal.hasColor;
  }

  /** Text that stays. */
  print(text: string): void {
    this.#update(text === "" ? [""] : text.split("\n"));
  }

  /** Replaces the table; nothing without a terminal. */
  draw(table: readonly string[]): void {
    if (!this.#terminal.isInteractive) return;
    this.#table = table;
    this.#update([]);
  }

  /** The table stays as it is, and what follows comes below it. */
  leaveTable(): void {
    this.#table = [];
    this.#drawnLines = 0;
  }

  /** In one write, so that no half of it is ever seen. */
  #update(printed: readonly string[]): void {
    const { write, isInteractive, size } = this.#terminal;
    if (!isInteractive) return write(printed.map((line) => `${line}\n`).join(""));
    const { columns, rows } = size() ?? defaultSize;
    // A line that wraps, or more lines than there are, and the cursor would not find back.
    const table = this.#table.slice(0, Math.max(0, rows - 1)).map((line) => cut(line, columns - 1));
    const lines = [...printed, ...table];
    const text = lines.map((line) => `${line}${clearToEndOfLine}\n`).join("");
    write(`${cursorUp(this.#drawnLines)}\r${text}${clearBelow}`);
    this.#drawnLines = table.length;
  }
}

/** At most `columns` characters; a line that is cut loses its colours. */
function cut(line: string, columns: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length <= columns ? line : plain.slice(0, columns);
}
