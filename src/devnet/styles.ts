/** Colours of a terminal, or none. */

export interface StyleText {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly green: (text: string) => string;
  readonly red: (text: string) => string;
}

export function styles(hasColor: boolean): StyleText {
  const style = (begin: number, end: number) => (text: string) =>
    hasColor ? `\x1b[${begin}m${text}\x1b[${end}m` : text;
  return { bold: style(1, 22), dim: style(2, 22), green: style(32, 39), red: style(31, 39) };
}
