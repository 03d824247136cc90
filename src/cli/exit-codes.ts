/** What the process's end tells systemd and scripts (sysexits.h). */

export const exitCodes = {
  clean: 0,
  /** The command line is wrong. */
  usage: 64,
  /** Something this process needs is not there: an address in use, a peer, an execution client. */
  unavailable: 69,
  /** An invariant is broken, or the chain has diverged: restarting does not mend it. */
  broken: 70,
  /** Disk or file system. */
  io: 74,
  /** Configuration or the files of the home directory. */
  config: 78,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
