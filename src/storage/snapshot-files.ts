/** `<term>-<index>.snp`: snapshots on disk. A file under that name is complete, or damaged later. */

import { readdirSync, readFileSync, rmSync } from "node:fs";
import { open, readFile, rename, rm } from "node:fs/promises";
import type { EntryId, Snapshot } from "../raft/types.ts";
import { diskFull, freeBytesIn, syncDirectory } from "./disk.ts";
import { corrupt, errnoOf, ioError, type Place, StorageError } from "./errors.ts";
import { decodeSnapshot, decodeSnapshotInTurns, encodeSnapshot } from "./snapshot-codec.ts";

const namePattern = /^(\d{1,16})-(\d{1,16})\.snp$/;
const unfinishedSuffix = ".snp.tmp";
/** Longer than the pause between two attempts to send it to a peer that is there. */
const heldMs = 10_000;

export interface SnapshotFilesOptions {
  readonly directory: string;
  /** How many of the newest stay, so that there is one to fall back to. */
  readonly keep: number;
  /** Told of a snapshot that cannot be read (an older one is used) or removed. */
  readonly onDamaged: (path: string, error: StorageError) => void;
}

interface Held {
  readonly snapshot: Snapshot;
  readonly timer: NodeJS.Timeout;
}

export class SnapshotFiles {
  readonly #directory: string;
  readonly #keep: number;
  readonly #onDamaged: (path: string, error: StorageError) => void;
  /** A damaged file is told of once. */
  readonly #knownDamaged = new Set<string>();
  /** Read lately, as it is to be sent. */
  #held: Held | null = null;
  #isReading = false;

  constructor({ directory, keep, onDamaged }: SnapshotFilesOptions) {
    this.#directory = directory;
    this.#keep = Math.max(1, keep);
    this.#onDamaged = onDamaged;
  }

  /** Resolves once the file would survive a power cut. A crash before leaves no file of that name. */
  async write(snapshot: Snapshot): Promise<void> {
    const path = this.#pathOf(snapshot.last);
    const unfinished = `${path}.tmp`;
    const pieces = await encodeSnapshot(snapshot);
    try {
      const file = await open(unfinished, "w", 0o600);
      try {
        for (const piece of pieces) await file.writeFile(piece);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(unfinished, path);
      await syncDirectory(this.#directory);
    } catch (error) {
      // Where it fails for the same reason, that reason is told; what is left is removed at the next start.
      await rm(unfinished, { force: true }).catch(() => {});
      if (errnoOf(error) !== "ENOSPC") throw ioError(path, error);
      const freeBytes = freeBytesIn(this.#directory);
      const neededBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
      throw diskFull(this.#directory, { freeBytes, neededBytes }, error);
    }
  }

  /**
   * The one at hand, or else the newest readable one, from `oldest` to `newest`, both included. What is passed over on
   * the way is reported. Throws STORAGE_CORRUPT without one.
   */
  between(oldestIndex: number, newest: EntryId): Snapshot {
    const held = this.#heldBetween(oldestIndex, newest);
    if (held !== null) return held.snapshot;
    for (const id of this.#listBetween(oldestIndex, newest)) {
      try {
        return this.#read(id);
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        this.#damaged(this.#pathOf(id), error);
      }
    }
    const key = `${newest.term}-${newest.index}`;
    throw corrupt(
      { path: this.#pathOf(newest), database: "snapshot", key },
      "is missing or unreadable, and so is every older one that the log continues",
    );
  }

  /**
   * Whether one of them can be had at once; if not, the newest is being read. It stays at hand for as long as it is
   * asked for every now and then, and serves although there are newer ones: more may come in the time that one takes.
   */
  prepare(oldestIndex: number, newest: EntryId): boolean {
    const held = this.#heldBetween(oldestIndex, newest);
    if (held !== null) {
      held.timer.refresh();
      return true;
    }
    const isGood = (id: EntryId) => !this.#knownDamaged.has(this.#pathOf(id));
    const id = this.#listBetween(oldestIndex, newest).find(isGood);
    if (id === undefined) return true; // `between` says what is wrong
    if (!this.#isReading) {
      this.#isReading = true;
      void this.#readAhead(id).finally(() => {
        this.#isReading = false;
      });
    }
    return false;
  }

  async #readAhead(id: EntryId): Promise<void> {
    try {
      const path = this.#pathOf(id);
      const bytes = await readFile(path).catch((error: unknown) => {
        // Removed meanwhile, as there are enough newer ones.
        if (errnoOf(error) === "ENOENT") return null;
        throw ioError(path, error);
      });
      if (bytes === null) return;
      const snapshot = await decodeSnapshotInTurns(bytes, placeOf(path, id));
      this.#letGo();
      const timer = setTimeout(() => this.#letGo(), heldMs);
      timer.unref();
      this.#held = { snapshot, timer };
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#damaged(this.#pathOf(id), error);
    }
  }

  #heldBetween(oldestIndex: number, newest: EntryId): Held | null {
    const index = this.#held?.snapshot.last.index ?? -1;
    return index >= oldestIndex && index <= newest.index ? this.#held : null;
  }

  #letGo(): void {
    if (this.#held !== null) clearTimeout(this.#held.timer);
    this.#held = null;
  }

  /** Removes all but the newest few up to `newest`, which the state refers to. One that is newer does not stand for anything yet. */
  prune(newest: EntryId): void {
    for (const id of this.#listBetween(0, newest).slice(this.#keep)) this.#remove(this.#pathOf(id));
  }

  /** Removes snapshots that were written, but never made part of the state. Only before the first write. */
  removeNewerThan(newest: EntryId): void {
    for (const id of this.#list()) if (id.index > newest.index) this.#remove(this.#pathOf(id));
  }

  /** Removes what a crash left half written. */
  removeUnfinished(): void {
    for (const name of readdirSync(this.#directory)) {
      if (name.endsWith(unfinishedSuffix)) this.#remove(`${this.#directory}/${name}`);
    }
  }

  /** A file that stays costs space and nothing else, so the store goes on. */
  #remove(path: string): void {
    try {
      rmSync(path, { force: true });
    } catch (error) {
      this.#damaged(path, ioError(path, error));
    }
  }

  #damaged(path: string, error: StorageError): void {
    if (this.#knownDamaged.has(path)) return;
    this.#knownDamaged.add(path);
    this.#onDamaged(path, error);
  }

  #read(id: EntryId): Snapshot {
    const path = this.#pathOf(id);
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(path);
    } catch (error) {
      throw ioError(path, error);
    }
    return decodeSnapshot(bytes, placeOf(path, id));
  }

  /** Newest first. */
  #listBetween(oldestIndex: number, newest: EntryId): readonly EntryId[] {
    return this.#list().filter(({ index }) => index >= oldestIndex && index <= newest.index);
  }

  /** Newest first. */
  #list(): readonly EntryId[] {
    const ids = readdirSync(this.#directory).flatMap((name): EntryId[] => {
      const [, term, index] = namePattern.exec(name) ?? [];
      if (term === undefined || index === undefined) return [];
      return [{ term: Number(term), index: Number(index) }];
    });
    return ids.sort((a, b) => b.index - a.index || b.term - a.term);
  }

  #pathOf({ term, index }: EntryId): string {
    return `${this.#directory}/${term}-${index}.snp`;
  }
}

function placeOf(path: string, { term, index }: EntryId): Place {
  return { path, database: "snapshot", key: `${term}-${index}` };
}
