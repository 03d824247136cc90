/**
 * The language of the transcripts: what a command does to the cluster on the table.
 *
 *   cluster 1 2 3 4(nonvoter)     servers that hold the bootstrap entry, each at its own deadline
 *   server 1 term=4 vote=2 log=1,1,3x9   ... but this one starts with these terms in its log
 *   lead 1                        it is elected and all is settled; nothing of that is shown
 *   campaign 1                    its own clock moves on to its next deadline
 *   stabilize [quiet]             delivers until nothing is under way; no time passes
 *   deliver 1->2, drop 1->2, fail 1->2   the oldest message; all of them; all, and the requester learns
 *   run 300                       lets time pass for all; only events and commits are shown
 *   disk 1 stalled | well         stalled: nothing becomes durable before `persist 1` or `well`
 *   recover 3 term=2 until=4      it lost its disk, and begins with what its survey found out
 *   crash, restart, wipe, pause, resume 1 ...
 *   cut 1 2, isolate 1, deafen 1, choke 1, heal   deaf: the others hear it, and it hears nobody; choked: no entries of it arrive
 *   hold 3->1, release            puts the oldest message aside; puts it back, as the last
 *   burst 1 31                    31 proposals, one by one; nothing of that is shown
 *   propose 1 x y, change 1 1 2 3 4, transfer 1 2, read 1 7, ready 1 no, gone 2 1, compact 1 5
 *   survey 3 1                    3 asks 1 how it stands
 *   status, log, lease 1, advance 1 50
 */

import { assert, defined } from "../../../src/base/assert.ts";
import { bootstrapEntry } from "../../../src/raft/membership.ts";
import type { Message } from "../../../src/raft/message.ts";
import type { Configuration, Entry, ServerId } from "../../../src/raft/types.ts";
import type { LabCluster } from "./cluster.ts";
import { MemoryLog } from "./memory-log.ts";
import { entriesText, messageText, parseConfiguration, statusText, textCodec } from "./words.ts";

const text = new TextEncoder();

type Command = (lab: LabCluster, words: readonly string[]) => void;

/** Obeys one line of a transcript. Throws on one that is not understood. */
export function obey(lab: LabCluster, line: string): void {
  const [name = "", ...words] = line.trim().split(/\s+/);
  const command = commands[name];
  assert(command !== undefined, "the command is known", { line });
  command(lab, words);
}

const commands: Readonly<Record<string, Command>> = {
  cluster(lab, words) {
    lab.clear();
    const configuration = parseConfiguration(words.join(" "));
    for (const { id } of configuration.servers) {
      lab.boot(id, new MemoryLog({ currentTerm: 1, votedFor: null }, [firstEntry(configuration)]));
    }
  },
  server(lab, [id = "", ...facts]) {
    const { configuration } = lab.server(id).core.status;
    const terms = (fact(facts, "log") ?? "1").split(",").flatMap((run) => {
      const [term, count = 1] = run.split("x").map(Number);
      return Array<number>(count).fill(term ?? 0);
    });
    const currentTerm = Number(fact(facts, "term") ?? terms.at(-1));
    const votedFor = fact(facts, "vote") ?? null;
    const entries = terms.map((term, at) => storedEntry(term, at + 1, configuration));
    lab.boot(id, new MemoryLog({ currentTerm, votedFor }, entries));
  },
  campaign: (lab, [id = ""]) => lab.timeOut(id),
  lead(lab, [id = ""]) {
    lab.timeOut(id);
    while (lab.deliver(() => true));
    assert(lab.server(id).core.hasJoined, "it leads", { id });
    lab.takeLines();
  },
  advance(lab, [id = "", durationMs]) {
    lab.server(id).skewMs += Number(durationMs);
    lab.input(id, { kind: "tick" });
  },
  stabilize(lab, [detail]) {
    lab.within(detail === "quiet" ? "events" : "delivered", () => {
      while (lab.deliver(() => true));
    });
  },
  deliver(lab, [link = ""]) {
    assert(lab.deliver(isOn(link)), "something is under way", { link });
  },
  drop(lab, [link = ""]) {
    for (const message of lab.drop(isOn(link))) lab.say(`  lost: ${messageText(message)}`);
  },
  fail(lab, [link = ""]) {
    for (const message of lab.drop(isOn(link))) {
      lab.say(`  failed: ${messageText(message)}`);
      lab.fail(message);
    }
  },
  hold(lab, [link = ""]) {
    for (const message of lab.hold(isOn(link))) lab.say(`  held: ${messageText(message)}`);
  },
  release: (lab) => lab.release(),
  run: (lab, [durationMs]) => lab.within("events", () => lab.run(Number(durationMs))),
  disk(lab, [id = "", state]) {
    lab.server(id).isDiskStalled = state === "stalled";
    if (state !== "stalled") lab.persist(id);
  },
  persist: (lab, [id = ""]) => lab.persist(id),
  crash: (lab, ids) => {
    for (const id of ids) lab.crash(id);
  },
  restart: (lab, ids) => {
    for (const id of ids) lab.boot(id, lab.server(id).disk);
  },
  recover(lab, [id = "", ...facts]) {
    const minTerm = Number(fact(facts, "term"));
    const untilIndex = Number(fact(facts, "until"));
    const disk = new MemoryLog({ currentTerm: minTerm, votedFor: id });
    disk.origin = { baseHeight: 0, recovery: { minTerm, untilIndex } };
    lab.boot(id, disk);
  },
  wipe: (lab, ids) => {
    for (const id of ids) lab.boot(id, new MemoryLog());
  },
  pause: (lab, ids) => {
    for (const id of ids) lab.server(id).condition = "paused";
  },
  resume(lab, ids) {
    for (const id of ids) {
      lab.server(id).condition = "runs";
      lab.input(id, { kind: "tick" });
    }
  },
  cut: (lab, [a = "", b = ""]) => {
    lab.cuts.add(`${a}->${b}`).add(`${b}->${a}`);
  },
  isolate(lab, [id = ""]) {
    for (const other of lab.servers.keys()) obey(lab, `cut ${id} ${other}`);
  },
  deafen(lab, [id = ""]) {
    for (const other of lab.servers.keys()) lab.cuts.add(`${other}->${id}`);
  },
  choke: (lab, [id = ""]) => {
    lab.choked.add(id);
  },
  heal: (lab) => lab.heal(),
  burst(lab, [id = "", count]) {
    for (let at = 1; at <= Number(count); at++) obey(lab, `propose ${id} x${at}`);
    lab.takeLines();
  },
  propose(lab, [id = "", ...words]) {
    const term = Number(fact(words, "term") ?? lab.server(id).core.currentTerm);
    const data = words.filter((word) => !word.includes("="));
    const list = data.map((word, at) => ({
      proposalId: at + 1,
      data: text.encode(word),
      appendedAt: null,
    }));
    lab.input(id, { kind: "propose", term, commands: list });
  },
  change(lab, [id = "", ...servers]) {
    const configuration = parseConfiguration(servers.join(" "));
    for (const server of configuration.servers) {
      if (!lab.servers.has(server.id)) lab.boot(server.id, new MemoryLog());
    }
    lab.input(id, { kind: "proposeConfiguration", configuration });
  },
  transfer(lab, [id = "", targetId = "any"]) {
    const target = targetId === "any" ? null : targetId;
    lab.input(id, { kind: "transferLeadership", targetId: target });
  },
  read: (lab, [id = "", readId]) =>
    lab.input(id, { kind: "confirmLeadership", readId: Number(readId) }),
  ready(lab, [id = "", answer, ...facts]) {
    const isReady = answer === "yes";
    const appliedHeight = Number(fact(facts, "height") ?? 0);
    const priority = Number(fact(facts, "priority") ?? 0);
    const readiness = { isReady, appliedHeight, priority };
    lab.input(id, { kind: "readiness", readiness });
  },
  survey(lab, [from = "", to = ""]) {
    const last = { term: 0, index: 0 };
    const question = { kind: "requestPreVoteRequest", from, to, id: 1, term: 0, last } as const;
    lab.input(to, { kind: "message", message: question });
  },
  gone: (lab, [id = "", peerId = ""]) => lab.input(id, { kind: "processGone", peerId }),
  compact(lab, [id = "", index = "", ...facts]) {
    const { core, disk } = lab.server(id);
    const term = defined(core.termAt(Number(index)), "the entry is there");
    disk.keepSnapshot({
      last: { term, index: Number(index) },
      ...core.configurationAt(Number(index)),
      data: text.encode(`state at ${index}`),
    });
    disk.compactThrough(Number(index) - Number(fact(facts, "keep") ?? 0));
  },
  status(lab) {
    for (const { core } of lab.servers.values()) lab.say(statusText(core.status));
  },
  log(lab, ids) {
    for (const id of ids.length > 0 ? ids : lab.servers.keys()) {
      const { disk } = lab.server(id);
      const entries = disk.entries(disk.firstIndex, disk.lastIndex, Number.POSITIVE_INFINITY);
      lab.say(`${id}: ${entriesText(entries)}`);
    }
  },
  lease(lab, [id = ""]) {
    const left = lab.server(id).core.status.leaseLeftMs;
    lab.say(`${id}: ${left === null ? "no lease" : `${Math.round(left)} ms of lease left`}`);
  },
};

function fact(words: readonly string[], name: string): string | undefined {
  return words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** `1->2`, or `1->` for all that 1 sent, or `->2`. */
function isOn(link: string): (message: Message) => boolean {
  const [from = "", to = ""] = link.split("->");
  return (message) => (from === "" || message.from === from) && (to === "" || message.to === to);
}

function firstEntry({ servers }: Configuration): Entry {
  const ids: ServerId[] = servers.map((server) => server.id);
  return { ...bootstrapEntry(ids, textCodec), data: textCodec.encode({ servers }) };
}

function storedEntry(term: number, index: number, configuration: Configuration): Entry {
  if (index === 1) return firstEntry(configuration);
  return {
    index,
    term,
    kind: "command",
    data: text.encode(`e${index}`),
    extensions: null,
    appendedAt: null,
  };
}
