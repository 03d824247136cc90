/** The three timeouts: lease <= heartbeat <= election, each long enough to mean something. */

import { formatDuration } from "../duration.ts";
import { type Finding, finding, type Rule, type RuleContext } from "./rule.ts";

/** hashicorp/raft's bound: below it the scheduling of a busy machine looks like a dead leader. */
const timeoutMinMs = 5;

/** Hundreds of them must fit a timer: what is beyond it would end at once, not never. */
const timeoutMaxMs = 600_000;

/** The election timeout that follows is 16 times as long. */
const rttLimitMs = timeoutMaxMs / 16;

const lease = "raft.leader_lease_timeout";
const heartbeat = "raft.heartbeat_timeout";
const election = "raft.election_timeout";
const send = "raft.send_timeout";

export const timingRules: readonly Rule[] = [
  (context) => {
    const { enable, rttMaxMs } = context.config.raft;
    // What follows from a wrong round trip is wrong as well, and not worth a word.
    const isFit = rttMaxMs === null || (rttMaxMs > 0 && rttMaxMs <= rttLimitMs);
    return enable && isFit ? checkTimeouts(context) : [];
  },
  ({ config: { raft } }) =>
    raft.enable && raft.rttMaxMs !== null && raft.rttMaxMs <= 0
      ? [
          finding(
            "error",
            ["raft.rtt_max"],
            "must be positive; write the longest round trip, such as 25ms",
          ),
        ]
      : [],
  ({ config: { raft } }) =>
    raft.enable && raft.rttMaxMs !== null && raft.rttMaxMs > rttLimitMs
      ? [tooLong("raft.rtt_max", raft.rttMaxMs, rttLimitMs)]
      : [],
  ({ config: { raft }, isSet }) =>
    raft.enable && raft.rttMaxMs !== null && [send, heartbeat, lease, election].every(isSet)
      ? [
          finding(
            "warning",
            ["raft.rtt_max"],
            "changes nothing, since all four timeouts are set; remove their lines",
          ),
        ]
      : [],
];

function checkTimeouts({ config: { raft } }: RuleContext): readonly Finding[] {
  const values = [
    [send, "send timeout", raft.sendTimeoutMs],
    [heartbeat, "heartbeat timeout", raft.heartbeatTimeoutMs],
    [lease, "leader lease timeout", raft.leaderLeaseTimeoutMs],
  ] as const;
  const findings: Finding[] = [];
  for (const [name, words, valueMs] of values) {
    if (valueMs <= 0) {
      const advice = "remove the line for the default, or set raft.rtt_max";
      findings.push(finding("error", [name], `${words} must be positive; ${advice}`));
    } else if (valueMs < timeoutMinMs && name !== send) findings.push(tooShort(name, valueMs));
    else if (valueMs > timeoutMaxMs) findings.push(tooLong(name, valueMs, timeoutMaxMs));
  }
  const electionMs = raft.electionTimeoutMs;
  if (electionMs < 0) {
    const message = `election timeout (${formatDuration(electionMs)}) must be >= 0; write 0s for the default, 1s`;
    findings.push(finding("error", [election], message));
  } else if (electionMs < timeoutMinMs) findings.push(tooShort(election, electionMs));
  else if (electionMs > timeoutMaxMs) findings.push(tooLong(election, electionMs, timeoutMaxMs));
  // Each is wrong by itself already: how they relate can wait.
  return findings.length > 0 ? findings : compareTimeouts(raft);
}

function tooShort(name: string, valueMs: number): Finding {
  return finding("error", [name], `${formatDuration(valueMs)} is below 5ms; write at least 5ms`);
}

function tooLong(name: string, valueMs: number, maxMs: number): Finding {
  const limit = formatDuration(maxMs);
  const message = `${formatDuration(valueMs)} is above ${limit}; write at most ${limit}`;
  return finding("error", [name, "raft.rtt_max"], message);
}

function compareTimeouts(raft: RuleContext["config"]["raft"]): readonly Finding[] {
  const heartbeatMs = raft.heartbeatTimeoutMs;
  const leaseMs = raft.leaderLeaseTimeoutMs;
  const electionMs = raft.electionTimeoutMs;
  const findings: Finding[] = [];
  if (electionMs < heartbeatMs) {
    const message =
      `election timeout (${formatDuration(electionMs)}) must be >= heartbeat timeout ` +
      `(${formatDuration(heartbeatMs)}); set ${election} to ${formatDuration(4 * heartbeatMs)}, ` +
      `or lower ${heartbeat}`;
    findings.push(finding("error", [election, heartbeat], message));
  }
  if (leaseMs > heartbeatMs) {
    const message =
      `leader lease timeout (${formatDuration(leaseMs)}) must be <= heartbeat timeout ` +
      `(${formatDuration(heartbeatMs)}), or an old leader counts itself leader after a new one is elected; ` +
      `set ${lease} to ${formatDuration(heartbeatMs / 2)}, or raise ${heartbeat}`;
    findings.push(finding("error", [lease, heartbeat], message));
  }
  const rttMs = raft.rttMaxMs;
  if (rttMs !== null && heartbeatMs < 2 * rttMs) {
    const message =
      `${formatDuration(heartbeatMs)} is less than twice raft.rtt_max (${formatDuration(rttMs)}): ` +
      `leaders will be deposed for nothing; remove the line, or set it to ${formatDuration(4 * rttMs)}`;
    findings.push(finding("warning", [heartbeat, "raft.rtt_max"], message));
  }
  return findings;
}
