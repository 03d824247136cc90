/** What no operator may set. Each limit says what happens there. */

/** Entries in one AppendEntries, as hashicorp's default; more go into the next one. */
export const entriesPerAppendMax = 64;

/** Payload bytes in one AppendEntries; one larger entry goes alone. */
export const bytesPerAppendMax = 1024 * 1024;

/** AppendEntries in flight to one peer; beyond it replication waits for a reply. */
export const appendsInFlightMax = 32;

/** Payload bytes in flight to one peer; beyond it replication waits for a reply. */
export const bytesInFlightMax = 8 * 1024 * 1024;

/** For so long, or longer where links may be slow, a leader that a majority hears may replicate nothing; then it steps down. */
export const replicationStallMinMs = 180_000;

/** For so long, or longer where blocks are rare, a leader that is not ready may build none until it hands over to whom nobody knows. */
export const standstillMinMs = 60_000;

/** A leader whose links are slower than that, and whose entries do not get through, is taken for cut off. */
export const slowestLinkBytesPerMs = 50;

/** One log entry's payload; a larger proposal is refused. */
export const entrySizeMaxBytes = 16 * 1024 * 1024;

/** One request or response frame on the Raft port, snapshot stream not counted; beyond it the connection closes. */
export const frameSizeMaxBytes = 32 * 1024 * 1024;

/** One snapshot; a larger one is refused. */
export const snapshotSizeMaxBytes = 1024 * 1024 * 1024;

/** Log entries kept in memory behind the last one, for followers that are nearly up to date. */
export const logCacheMaxBytes = 16 * 1024 * 1024;

/** Log entries that wait for the leader's own disk; beyond it proposals are refused. */
export const undurableMaxBytes = 64 * 1024 * 1024;

/** Committed but not yet applied bytes the main thread holds; the rest waits in the log (P8). */
export const applyWindowMaxBytes = 16 * 1024 * 1024;

/** Bytes of transactions in one block, as ev-node's batch; the rest waits for the next block. */
export const blockTransactionsMaxBytes = 5 * 1024 * 1024;
