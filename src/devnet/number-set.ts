/** Numbers from 0 on of which few are missing, in little memory: only those are kept. */
export class NumberSet {
  /** All below are in, but for the missing ones. */
  #end = 0;
  readonly #missing = new Set<number>();

  add(number: number): void {
    for (; this.#end <= number; this.#end++) this.#missing.add(this.#end);
    this.#missing.delete(number);
  }

  has(number: number): boolean {
    return number < this.#end && !this.#missing.has(number);
  }
}
