/** What one transaction will write. Collected first, because a transaction that throws half-way is half written. */

/** LMDB copies the page that a write changes, and rounds large values up to pages. */
const pageBytes = 4096;

/** In order; `sizeBytes` is at most what it adds to the file. */
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
    this.#sizeBytes += sizeBytes + pageBytes;
    this.#writes.push(write);
  }

  run(): void {
    for (const write of this.#writes) write();
  }
}
