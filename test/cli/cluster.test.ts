/** `evm cluster` against the real HTTP server over nodes in memory, and against what is no node. */

import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import type { Environment } from "../../src/config/environment-source.ts";
import { readFlags } from "../../src/config/flag-source.ts";
import type { RpcOptions } from "../../src/rpc/options.ts";
import { StartingServer } from "../../src/rpc/starting-server.ts";
import { defaults, startServer } from "../rpc/harness.ts";
import { MemoryNode } from "../rpc/memory-node.ts";
import { type Ended, temporaryDirectory } from "./evm.ts";

const { path: home, remove } = temporaryDirectory();
afterAll(remove);

/** In this process: what a process adds is tried elsewhere. The home has no file, so that nothing is read of it. */
async function cluster(args: readonly string[], environment: Environment = {}): Promise<Ended> {
  const out: string[] = [];
  const err: string[] = [];
  const exitCode = await runCli({
    flags: readFlags(["cluster", ...args, `--home=${home}`]),
    environment,
    workingDirectory: home,
    print: (text) => out.push(`${text}\n`),
    warn: (text) => err.push(`${text}\n`),
  });
  return { exitCode, stdout: out.join(""), stderr: err.join("") };
}

/** The address of a node that answers until the test ends. */
async function serve(node: MemoryNode, options: Partial<RpcOptions> = {}): Promise<string> {
  const { port, stop } = await startServer(options, node);
  onTestFinished(stop);
  return `127.0.0.1:${port}`;
}

/** node-2, and whom it takes for the leader. */
function follower(leaderId: string | null = "node-1", term = 3): MemoryNode {
  const node = new MemoryNode();
  if (node.raft === null) return node;
  const role = leaderId === null ? "candidate" : "follower";
  node.raft = { ...node.raft, nodeId: "node-2", role, leaderId, term, state: "following" };
  return node;
}

/** The address of a server that is no node. */
async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  return `127.0.0.1:${port}`;
}

function http(listener: RequestListener): Promise<string> {
  return listen(createHttpServer(listener));
}

/** Where nobody listens. */
async function closedAddress(): Promise<string> {
  const server = createServer();
  const address = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return address;
}

describe("status", () => {
  it("sums up what the leader sees", async () => {
    const rpc = [await serve(new MemoryNode()), await serve(follower())];
    expect(await cluster(["status", "--rpc", rpc.join(",")])).toEqual({
      exitCode: 0,
      stderr: "",
      stdout: `\
leader        node-1
term          3
commit index  42
members       2 of 3 healthy; a majority is 2
tolerates     no more failures
asked         2 of 2 answered
`,
    });
  });

  it("says what may still fail", async () => {
    const node = new MemoryNode();
    for (const [at, member] of node.members.entries()) {
      node.members[at] = { ...member, health: "Healthy" };
    }
    const { stdout } = await cluster(["status", `--rpc=${await serve(node)}`]);
    expect(stdout).toContain("members       3 of 3 healthy; a majority is 2\n");
    expect(stdout).toContain("tolerates     one more failure\n");
  });

  it("names the nodes that do not answer, and is a success all the same", async () => {
    const [gone, there] = [await closedAddress(), await serve(new MemoryNode())];
    const { exitCode, stdout } = await cluster(["status", "--rpc", gone, "--rpc", there]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/leader +node-1\n/);
    expect(stdout).toContain(`\
asked         1 of 2 answered
  ${gone} refuses the connection: the node does not run, or has another rpc.address
  ${there} says node-1, term 3
`);
  });

  it("shows who takes another for the leader, and believes the later term", async () => {
    const rpc = [await serve(follower("node-3", 2)), await serve(new MemoryNode())];
    const { exitCode, stdout } = await cluster(["status", "--rpc", rpc.join(", ")]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/leader +node-1\nterm +3\n/);
    expect(stdout).toContain(`\
asked         2 of 2 answered, and name different leaders
  ${rpc[0]} says node-3, term 2
  ${rpc[1]} says node-1, term 3
`);
  });

  it("believes the leader rather than one who cannot reach it", async () => {
    const alone = follower();
    for (const [at, member] of alone.members.entries()) {
      alone.members[at] = { ...member, health: "Unreachable", matchIndex: null };
    }
    const rpc = [await serve(alone), await serve(new MemoryNode())];
    const { exitCode, stdout } = await cluster(["status", "--rpc", rpc.join()]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("2 of 3 healthy");
  });

  it("without a leader is no success", async () => {
    const rpc = await serve(follower(null));
    const { exitCode, stdout, stderr } = await cluster(["status", "--rpc", rpc]);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 69,
      stderr: "evm: no leader is known: blocks stop until a majority elects one\n",
    });
    expect(stdout).toMatch(/leader +none is known\n/);
  });

  it("without a healthy majority is no success", async () => {
    const node = new MemoryNode();
    node.members.push(
      ...node.members.splice(1).map((one) => ({ ...one, health: "Degraded" as const })),
    );
    const { exitCode, stdout, stderr } = await cluster(["status", "--rpc", await serve(node)]);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 69,
      stderr: "evm: too few healthy members: 1, and a majority is 2\n",
    });
    expect(stdout).toContain("tolerates     no more failures\n");
  });

  it("is JSON for programs", async () => {
    const [there, gone] = [await serve(new MemoryNode()), await closedAddress()];
    const args = ["status", "-o", "json", "--rpc", `${there},${gone}`];
    expect(JSON.parse((await cluster(args)).stdout)).toEqual({
      leaderId: "node-1",
      term: 3,
      commitIndex: 42,
      members: 3,
      healthy: 2,
      majority: 2,
      tolerates: 0,
      agree: true,
      asked: [
        { address: there, leaderId: "node-1", term: 3 },
        { address: gone, problem: expect.stringContaining("refuses the connection") },
      ],
    });
  });
});

describe("members", () => {
  const table = `\
NODE    ADDRESS        ROLE      HEALTH          RTT  MATCH  HEIGHT  LAST HEARTBEAT
node-1  10.0.0.1:5001  leader    Healthy           -     40       0  -
node-2  10.0.0.2:5001  follower  Healthy      1.5 ms     41       1  2025-06-15T10:30:00.000Z
node-3  10.0.0.3:5001  follower  Unreachable  1.5 ms     42       2  2025-06-15T10:30:00.000Z
`;

  it("is a table", async () => {
    const args = ["members", "--rpc", await serve(new MemoryNode())];
    expect(await cluster(args)).toEqual({ exitCode: 0, stdout: table, stderr: "" });
  });

  it("is the endpoint's own JSON for programs", async () => {
    const rpc = await serve(new MemoryNode());
    const own = await (await fetch(`http://${rpc}/cluster`)).json();
    const { stdout } = await cluster(["members", "-o", "json", "--rpc", rpc]);
    expect(JSON.parse(stdout)).toEqual(own);
  });

  it("asks the next node if one does not answer, and names it", async () => {
    const [gone, there] = [await closedAddress(), await serve(new MemoryNode())];
    const { exitCode, stdout, stderr } = await cluster(["members", "--rpc", `${gone},${there}`]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: table });
    expect(stderr).toMatch(new RegExp(`^evm: warning: ${gone} refuses the connection: .*\n$`));
  });

  it("asks the node of this home unless told, on loopback if that listens everywhere", async () => {
    const port = (await serve(new MemoryNode())).split(":")[1];
    for (const address of [`0.0.0.0:${port}`, `:${port}`, `127.0.0.1:${port}`]) {
      const { exitCode, stdout } = await cluster(["members", `--evnode.rpc.address=${address}`]);
      expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: table });
    }
  });

  it("says of each node why it was of no use", async () => {
    const rpc = [await closedAddress(), await http((_, response) => response.end("<html>"))];
    const { exitCode, stdout, stderr } = await cluster(["members", "--rpc", rpc.join()]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 69, stdout: "" });
    expect(stderr).toBe(`\
evm: none of 2 nodes tells of its cluster
  ${rpc[0]} refuses the connection: the node does not run, or has another rpc.address
  ${rpc[1]} answers GET /cluster with 200 and no JSON: is this the rpc.address of a node?
`);
  });
});

describe("what is no node, or none yet", () => {
  const json = (body: unknown, status = 200) =>
    http((_, response) => response.writeHead(status).end(JSON.stringify(body)));
  const raw = (text: string) => listen(createServer((socket) => socket.end(text)));

  it.each<[string, () => Promise<string>, string]>([
    [
      "another program's JSON",
      () => json({ ok: true }),
      "answers GET /cluster with 200 and not what a node answers: is this the rpc.address of a node?",
    ],
    [
      "another program's 404",
      () => json({}, 404),
      "answers GET /cluster with 404 and not what a node answers: is this the rpc.address of a node?",
    ],
    [
      "a redirection, which is not followed",
      () => http((_, response) => response.writeHead(302, { location: "/" }).end()),
      "answers GET /cluster with 302 and no JSON: is this the rpc.address of a node?",
    ],
    [
      "control characters, which reach no terminal",
      () => json({ error: { code: "X", message: "\u001b[2J" } }, 503),
      "answers GET /cluster with 503 and not what a node answers: is this the rpc.address of a node?",
    ],
    [
      "what never ends",
      () => http((_, response) => response.end("x".repeat(2 ** 20 + 1))),
      "sends more than 1048576 bytes, as no node does: is this the rpc.address of a node?",
    ],
    [
      "another protocol",
      () => raw("\u0013/multistream/1.0.0\n"),
      "does not speak HTTP: is this the rpc.address of a node?",
    ],
    [
      "a closed connection",
      () => raw(""),
      "closes the connection without an answer: is this the rpc.address of a node?",
    ],
    [
      "silence",
      () => listen(createServer(() => {})),
      "does not answer within 3s: the node hangs, or a firewall is between",
    ],
    [
      "a node that starts",
      async () => {
        const reason = "geth does not answer";
        const server = new StartingServer({ ...defaults([]), reason });
        onTestFinished(() => server.stop());
        return `127.0.0.1:${await server.start()}`;
      },
      "answers UNAVAILABLE (503): This node is starting: geth does not answer. Send the request to another one.",
    ],
  ])("%s", async (_, start, reason) => {
    const rpc = await start();
    expect(await cluster(["status", "--rpc", rpc])).toEqual({
      exitCode: 69,
      stdout: "",
      stderr: `evm: ${rpc} ${reason}\n`,
    });
  });
});

describe("transfer-leader", () => {
  it("hands over to the readiest, and says who leads", async () => {
    const rpc = await serve(new MemoryNode());
    expect(await cluster(["transfer-leader", "--rpc", rpc])).toEqual({
      exitCode: 0,
      stdout: "node-2 leads now; before it was node-1\n",
      stderr: "",
    });
  });

  it("finds the leader among the nodes, and hands over to whom it is told", async () => {
    const leader = new MemoryNode();
    const rpc = [await closedAddress(), await serve(follower()), await serve(leader)];
    const args = ["transfer-leader", "node-2", "-o", "json", "--rpc", rpc.join()];
    const { exitCode, stdout } = await cluster(args);
    expect([exitCode, JSON.parse(stdout)]).toEqual([
      0,
      { leaderId: "node-2", formerLeaderId: "node-1" },
    ]);
    expect(leader.raft?.leaderId).toBe("node-2");
  });

  it("has nothing to do if the target leads", async () => {
    const args = ["transfer-leader", "node-1", "--rpc", await serve(new MemoryNode())];
    expect(await cluster(args)).toEqual({
      exitCode: 0,
      stdout: "node-1 leads already\n",
      stderr: "",
    });
  });

  it.each<[string, string[], MemoryNode, number, string]>([
    [
      "a stranger",
      ["node-9"],
      new MemoryNode(),
      64,
      "node-9 is no member; the members are node-1, node-2, node-3",
    ],
    [
      "a member that is gone",
      ["node-3"],
      new MemoryNode(),
      69,
      "node-3 is Unreachable and could not lead; evm cluster members shows who could",
    ],
    [
      "a leader that was not asked",
      [],
      follower(),
      69,
      "node-1 leads, whose Raft address is 10.0.0.1:5001, and is none of the nodes asked: add its rpc.address to --rpc",
    ],
    [
      "a cluster without a leader",
      [],
      follower(null),
      69,
      "no leader is known, so that nobody can hand over: a majority must run",
    ],
  ])("refuses %s", async (_, target, node, exitCode, sentence) => {
    const before = node.raft;
    const args = ["transfer-leader", ...target, "--rpc", await serve(node)];
    expect(await cluster(args)).toEqual({ exitCode, stdout: "", stderr: `evm: ${sentence}\n` });
    expect(node.raft).toBe(before);
  });

  it("says that a cluster of one has nobody else", async () => {
    const node = new MemoryNode();
    node.members.length = 1;
    const { exitCode, stderr } = await cluster(["transfer-leader", "--rpc", await serve(node)]);
    expect([exitCode, stderr]).toEqual([
      69,
      "evm: the cluster has one member: nobody else can lead\n",
    ]);
  });

  it("repeats the leader's reason", async () => {
    const node = new MemoryNode();
    node.transferLeadership = async () => ({ kind: "failed", reason: "no member is ready" });
    const rpc = await serve(node);
    expect(await cluster(["transfer-leader", "--rpc", rpc])).toEqual({
      exitCode: 69,
      stdout: "",
      stderr: `evm: node-1 at ${rpc} answers TRANSFER_FAILED (503): no member is ready. Leadership stays where it was; GET /cluster shows which members are healthy.\n`,
    });
  });

  it("is no success if another than the target was elected", async () => {
    const node = new MemoryNode();
    node.transferLeadership = async () => ({ kind: "transferred", leaderId: "node-3" });
    const args = ["transfer-leader", "node-2", "--rpc", await serve(node)];
    const { exitCode, stderr } = await cluster(args);
    expect([exitCode, stderr]).toEqual([
      69,
      "evm: node-3 leads now, not node-2: it was elected meanwhile. Run the command again\n",
    ]);
  });

  /** A leader that answers what it is asked, and a POST as told. */
  async function leaderThat(answerPost: RequestListener): Promise<string> {
    const upstream = await serve(new MemoryNode());
    return http(async (request, response) => {
      if (request.method === "POST") return answerPost(request, response);
      response.end(await (await fetch(`http://${upstream}${request.url}`)).text());
    });
  }

  it("does not know what came of it if the leader goes away meanwhile", async () => {
    const rpc = await leaderThat((request) => request.socket.destroy());
    const { exitCode, stderr } = await cluster(["transfer-leader", "--rpc", rpc]);
    expect(exitCode).toBe(69);
    expect(stderr).toContain(
      `evm: evm cluster status shows whether another leads: node-1 at ${rpc} closes`,
    );
  });

  it("repeats what a leader says that answers its own machine only", async () => {
    const error = { code: "FORBIDDEN", message: "Run the command on the node itself." };
    const rpc = await leaderThat((_, response) =>
      response.writeHead(403).end(JSON.stringify({ error })),
    );
    const { exitCode, stderr } = await cluster(["transfer-leader", "--rpc", rpc]);
    expect([exitCode, stderr]).toEqual([
      78,
      `evm: node-1 at ${rpc} answers FORBIDDEN (403): Run the command on the node itself.\n`,
    ]);
  });
});

describe("the admin token", () => {
  const adminToken = "correct horse battery staple";
  const file = (name: string, text: string) => {
    const path = join(home, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const right = file("token", `${adminToken}\n`);

  it.each<[string, string[], Environment]>([
    ["a file", ["--token-file", right], {}],
    ["a file, named from where one stands", ["--token-file=token"], {}],
    ["a file, whatever the home has", ["--token-file", right, "--evnode.rpc.admin_token=x"], {}],
    ["the home's file", [`--evnode.rpc.admin_token_file=${right}`], {}],
    ["a variable", [], { EVNODE_RPC_ADMIN_TOKEN: adminToken }],
  ])("comes by %s", async (_, flags, environment) => {
    const rpc = await serve(new MemoryNode(), { adminToken });
    const args = ["transfer-leader", "--rpc", rpc, ...flags];
    const { exitCode, stdout, stderr } = await cluster(args, environment);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toBe("node-2 leads now; before it was node-1\n");
  });

  it.each([
    ["none", [], /\(401\): Admin requests .* Give the token with --token-file\n$/],
    [
      "a wrong one",
      ["--token-file", file("wrong", "wrong")],
      /\(401\): .* The token of file .*\/wrong is another\n$/,
    ],
    [
      "one that no header holds",
      ["--token-file", file("two-lines", "hunter\n2")],
      /the admin token of file .*\/two-lines is no line of ASCII/,
    ],
    [
      "no file",
      ["--token-file=/nonexistent/token"],
      /\/nonexistent\/token cannot be read \(ENOENT\)/,
    ],
  ])("is missed: %s", async (_, flags, sentence) => {
    const node = new MemoryNode();
    const rpc = await serve(node, { adminToken });
    const { exitCode, stdout, stderr } = await cluster(["transfer-leader", "--rpc", rpc, ...flags]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 78, stdout: "" });
    expect(stderr).toMatch(sentence);
    expect(stderr).not.toMatch(/hunter|horse/);
    expect(node.raft?.role).toBe("leader");
  });
});

describe("usage", () => {
  it.each([
    [
      ["status", "--rpc", "10.0.0.1"],
      '"10.0.0.1" has no port; write host:port, such as 10.0.0.1:26657',
    ],
    [["status", "--rpc", "http://10.0.0.1:26657"], "is a URL"],
    [["status", "--rpc", "10.0.0.1:26657,"], "is empty; write host:port"],
    [["members", "--rpc", "10.0.0.1:0"], "Port 0 is nobody's"],
    [["members", "-o", "yaml"], "Allowed choices are text, json."],
    [["state"], "unknown command 'state'\n(Did you mean status?)"],
    [["transfer-leader", "node-1", "node-2"], "too many arguments"],
  ])("%j is refused with advice and 64", async (args, sentence) => {
    const { exitCode, stdout, stderr } = await cluster(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 64, stdout: "" });
    expect(stderr).toContain(sentence);
  });
});
