/** What one transaction will write. Collected first, because a transaction that throws half-way is half written. */

/** In order; `sizeBytes` is about what it adds to the file. */
export class WriteSet {
  readonly #writes: (() => void)[] = [];
  #sizeBytes = 0;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get isEmpty(): boolean {
    return this.#writes.length === 0;
  }

  add(sizeBytes: number, write: () => void): void {
    this.#sizeBytes += sizeBytes;
    this.#writes.push(write);
  }

  run(): void {
    for (const write of this.#writes) write();
  }
}
