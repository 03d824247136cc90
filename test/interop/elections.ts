/** Elections without a hand-over, in which either kind needs the other's vote. */

import { until } from "../e2e/harness/until.ts";
import {
  isOurs,
  leaderAmong,
  type Member,
  type MixedCluster,
  raftStateOf,
} from "./mixed-cluster.ts";

/**
 * The name of Go members whose ids come after ours. Go asks once it has given up the leader, and refuses until then, so
 * one of ours that asks first is still asking. If Go's id came first, ours would give way to it each time, and win only
 * with a longer log (`goesFirst` in src/raft/voting.ts). Now the kind that asks first wins.
 */
export const nameAfterOurs = "theirs";

/** Both kinds ask one to two heartbeat timeouts after the last contact. */
const roundsMax = 12;

/** Elections until each kind has won one. */
export async function untilEitherKindIsElected(cluster: MixedCluster): Promise<void> {
  const wins = { ours: 0, hashicorp: 0 };
  for (let round = 1; wins.ours === 0 || wins.hashicorp === 0; round++) {
    if (round > roundsMax) throw new Error(`one kind won no election: ${JSON.stringify(wins)}`);
    const winner = await electByBareMajority(cluster);
    if (winner !== null) wins[isOurs(winner) ? "ours" : "hashicorp"]++;
  }
}

/**
 * The leader stands still, and with it all but a bare majority. Every vote of that is needed, and it has members of both
 * kinds: whoever wins has a vote of the other kind. null if the election had begun before.
 *
 * They are stopped and not killed, since ours notice at once that a process is gone, and would nearly always be first.
 */
async function electByBareMajority(cluster: MixedCluster): Promise<Member | null> {
  const { majority, minority } = divide(cluster);
  const [leader] = minority;
  if (leader === undefined) throw new Error("three members are more than a bare majority");
  await cluster.handOverTo(leader.id);
  for (const member of minority) member.signal("SIGSTOP");
  const before = await Promise.all(majority.map(raftStateOf));
  const winner = await until("a bare majority elects one of its own", () => leaderAmong(majority));
  const { term, leads } = await raftStateOf(winner);
  for (const member of minority) member.signal("SIGCONT");
  await cluster.leader();
  await cluster.untilApplied();
  return leads && before.every((state) => state.term < term) ? winner : null;
}

function divide({ ours, hashicorp, members }: MixedCluster) {
  const bothKinds: readonly Member[] = [...ours.nodes.slice(0, 1), ...hashicorp.slice(0, 1)];
  const others = members.filter((member) => !bothKinds.includes(member));
  const missing = Math.floor(members.length / 2) + 1 - bothKinds.length;
  return { majority: [...bothKinds, ...others.slice(0, missing)], minority: others.slice(missing) };
}
