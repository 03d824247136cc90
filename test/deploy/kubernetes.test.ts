/** Three members in Kubernetes: what the manifests say, compared with what the code knows. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { readFlags } from "../../src/config/flag-source.ts";
import { loadConfig } from "../../src/config/load.ts";
import { resolvePassphrase } from "../../src/config/secrets.ts";
import { healthRoutes } from "../../src/rpc/health.ts";
import { defaults } from "../rpc/harness.ts";
import { MemoryNode } from "../rpc/memory-node.ts";
import { repository } from "./repository.ts";

const Labels = z.record(z.string(), z.string());
const Selector = z.object({ matchLabels: Labels });
const Probe = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) });
const Restricted = z.object({
  allowPrivilegeEscalation: z.literal(false),
  readOnlyRootFilesystem: z.literal(true),
  capabilities: z.object({ drop: z.tuple([z.literal("ALL")]) }),
});
const Mounts = z.array(z.object({ name: z.string(), mountPath: z.string() }));
const Variables = z.array(z.object({ name: z.string(), value: z.string().optional() }));

const ConfigMap = z.object({ kind: z.literal("ConfigMap"), data: Labels });
const Service = z.object({
  kind: z.literal("Service"),
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    clusterIP: z.string().optional(),
    publishNotReadyAddresses: z.boolean().default(false),
    selector: Labels,
    ports: z.array(z.object({ name: z.string(), port: z.number(), targetPort: z.string() })),
  }),
});
const StatefulSet = z.object({
  kind: z.literal("StatefulSet"),
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    serviceName: z.string(),
    replicas: z.number(),
    podManagementPolicy: z.string(),
    updateStrategy: z.object({ type: z.string() }),
    selector: Selector,
    volumeClaimTemplates: z.array(z.object({ metadata: z.object({ name: z.string() }) })),
    template: z.object({
      metadata: z.object({ labels: Labels }),
      spec: z.object({
        terminationGracePeriodSeconds: z.number(),
        securityContext: z.object({ runAsNonRoot: z.literal(true), fsGroup: z.number() }),
        affinity: z.object({ podAntiAffinity: z.object({}) }),
        volumes: z.array(
          z.object({ name: z.string(), secret: z.object({ defaultMode: z.number() }) }),
        ),
        initContainers: z.tuple([
          z.object({
            args: z.tuple([z.string()]),
            securityContext: Restricted,
            volumeMounts: Mounts,
          }),
        ]),
        containers: z.tuple([
          z.object({
            args: z.array(z.string()),
            env: Variables,
            ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
            startupProbe: Probe,
            livenessProbe: Probe,
            readinessProbe: Probe,
            resources: z.strictObject({
              requests: z.object({ cpu: z.string(), memory: z.string() }),
            }),
            securityContext: Restricted,
            volumeMounts: Mounts,
          }),
        ]),
      }),
    }),
  }),
});
const Budget = z.object({
  kind: z.literal("PodDisruptionBudget"),
  spec: z.object({ maxUnavailable: z.number(), selector: Selector }),
});
const Policy = z.object({
  kind: z.literal("NetworkPolicy"),
  spec: z.object({
    podSelector: Selector,
    policyTypes: z.array(z.string()),
    ingress: z.array(
      z.object({
        from: z.array(z.object({ podSelector: Selector.partial() })),
        ports: z.array(z.object({ port: z.string() })),
      }),
    ),
  }),
});

const text = readFileSync(repository("deploy/kubernetes/ev-sequencer.yaml"), "utf8");
const documents = parseAllDocuments(text).map((document) => document.toJS());
const [settings, peersService, clientService, set, budget, policy] = z
  .tuple([ConfigMap, Service, Service, StatefulSet, Budget, Policy])
  .parse(documents);
const { spec: pod, metadata: podMetadata } = set.spec.template;
const [container] = pod.containers;
const pods = Array.from({ length: set.spec.replicas }, (_, n) => `${set.metadata.name}-${n}`);
const peerIds = [
  "12D3KooWBhUE9PEdvJ3mXrRWqvXhFnBTxKzeRWGXPKoqWTgTHMBD",
  "12D3KooWKLwCW75xE28dWPHR6jAWgafoxKBauTSE8qh4pnXPw3oZ",
  "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp",
];

const directory = mkdtempSync(join(tmpdir(), "kubernetes-"));
const home = join(directory, "data");
const secrets = join(directory, "run/signer");

beforeAll(() => {
  mkdirSync(secrets, { recursive: true });
  writeFileSync(join(secrets, "signer-passphrase"), "correct horse", { mode: 0o440 });
});

afterAll(() => rmSync(directory, { recursive: true }));

/** As the container of `podName` sees it, with its mounts in this test's directory. */
function environmentOf(podName: string, isFilledIn = true): Record<string, string> {
  const fromPod = container.env.map(({ name, value = podName }) => [name, value]);
  const all: Record<string, string> = { ...settings.data, ...Object.fromEntries(fromPod) };
  const peers = (all["EVNODE_P2P_PEERS"] ?? "").replaceAll(
    /<PEER_ID_(\d)>/g,
    (placeholder, n) => (isFilledIn ? peerIds[Number(n)] : undefined) ?? placeholder,
  );
  return { ...all, EVNODE_P2P_PEERS: peers, EVNODE_HOME: home, CREDENTIALS_DIRECTORY: secrets };
}

const load = (environment: Record<string, string>) =>
  loadConfig({ home: null, flags: readFlags([]), environment, workingDirectory: directory });

describe("deploy/kubernetes", () => {
  it.each(pods)("%s starts with a configuration that has no problem", (podName) => {
    const environment = environmentOf(podName);
    const { config, warnings } = load(environment);
    expect(warnings).toEqual([]);
    expect(resolvePassphrase(config, environment)?.warnings).toEqual([]);
    expect(config.raft).toMatchObject({ enable: true, nodeId: podName });
    const others = pods.filter((name) => name !== podName);
    expect(config.raft.peers).toEqual(
      others.map((id) => ({ id, address: `${id}.${set.spec.serviceName}:5001` })),
    );
    expect(config.raft.advertiseAddr).toBe(`${podName}.${set.spec.serviceName}:5001`);
    expect(config.p2p.peers).toEqual(
      pods.map((name, n) => `/dns4/${name}.${set.spec.serviceName}/tcp/26656/p2p/${peerIds[n]}`),
    );
  });

  it("as it is, it warns of the peer ids that are missing, and of nothing else", () => {
    const messages = load(environmentOf("ev-sequencer-0", false)).warnings.map(
      ({ message }) => message,
    );
    expect(messages).not.toEqual([]);
    for (const message of messages) expect(message).toMatch(/placeholder/);
  });

  it("all that the node writes is on the claimed volume, and its secrets are mounted", () => {
    const { config } = load({ ...environmentOf("ev-sequencer-0"), EVNODE_HOME: "/data" });
    const claim = set.spec.volumeClaimTemplates.map(({ metadata }) => metadata.name);
    const mountOf = (path: string) =>
      container.volumeMounts.find(({ mountPath }) => path.startsWith(mountPath))?.name;
    for (const path of [config.home, config.dbPath, config.raft.raftDir]) {
      expect(claim).toContain(mountOf(path));
    }
    expect(mountOf(config.signer.signerPath)).toBe("signer");
    expect(settings.data["CREDENTIALS_DIRECTORY"]).toBe(config.signer.signerPath);
    expect(container.env).toContainEqual({ name: "EVNODE_HOME", value: "/data" });
    for (const { secret } of pod.volumes) expect(secret.defaultMode).toBe(0o440);
  });

  it("puts each member's key and the genesis where the node looks for them", () => {
    const members = join(directory, "run/members");
    mkdirSync(members, { recursive: true });
    writeFileSync(join(members, "genesis.json"), "genesis");
    writeFileSync(join(members, "ev-sequencer-1.json"), "key of 1", { mode: 0o440 });
    const [{ args, volumeMounts }] = pod.initContainers;
    expect(volumeMounts.map(({ mountPath }) => mountPath)).toEqual(["/data", "/run/members"]);
    const script = args[0].replaceAll("/run/members", members);
    const env = { ...process.env, EVNODE_HOME: home, POD_NAME: "ev-sequencer-1" };
    // Twice, as after a restart.
    for (let time = 0; time < 2; time++) execFileSync("sh", ["-euc", script], { env });
    const written = (name: string) => readFileSync(join(home, "config", name), "utf8");
    expect([written("genesis.json"), written("node_key.json")]).toEqual(["genesis", "key of 1"]);
  });

  it("has the ports that are configured", () => {
    const { config } = load(environmentOf("ev-sequencer-0"));
    const portOf = (address: string) => Number(/(\d+)$/.exec(address)?.[1]);
    const configured = {
      raft: portOf(config.raft.raftAddr),
      p2p: portOf(config.p2p.listenAddress),
      rpc: portOf(config.rpc.address),
      metrics: portOf(config.instrumentation.prometheusListenAddr),
    };
    const declared = container.ports.map(({ name, containerPort }) => [name, containerPort]);
    expect(Object.fromEntries(declared)).toEqual(configured);
    const served = [peersService, clientService].flatMap(({ spec }) => spec.ports);
    for (const { name, port, targetPort } of served) {
      expect(targetPort).toBe(name);
      expect(configured).toMatchObject({ [name]: port });
    }
  });

  it("probes paths that are there", () => {
    const paths = healthRoutes(new MemoryNode(), defaults([]).log).map(({ path }) => path);
    const { startupProbe, livenessProbe, readinessProbe } = container;
    for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) {
      expect(paths).toContain(httpGet.path);
      expect(httpGet.port).toBe("rpc");
    }
    expect(livenessProbe.httpGet.path).toBe("/health/live");
    expect(readinessProbe.httpGet.path).toBe("/health/ready");
  });

  it("finds members that are not ready, and starts all at once", () => {
    expect(peersService.metadata.name).toBe(set.spec.serviceName);
    expect(peersService.spec).toMatchObject({ clusterIP: "None", publishNotReadyAddresses: true });
    expect(clientService.spec.publishNotReadyAddresses).toBe(false);
    expect(set.spec.podManagementPolicy).toBe("Parallel");
  });

  it("takes one member at a time, and gives it the time that a stop needs", () => {
    expect(budget.spec.maxUnavailable).toBe(1);
    expect(set.spec.updateStrategy.type).toBe("OnDelete");
    const source = readFileSync(repository("src/cli/run-node.ts"), "utf8");
    const budgetMs = Number(/shutdownBudgetMs = ([\d_]+);/.exec(source)?.[1]?.replace("_", ""));
    expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThanOrEqual(budgetMs);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(30);
  });

  it("opens Raft and p2p to members alone", () => {
    const members = { podSelector: { matchLabels: podMetadata.labels } };
    expect(policy.spec.policyTypes).toEqual(["Ingress"]);
    for (const port of ["raft", "p2p"]) {
      const rules = policy.spec.ingress.filter(({ ports }) =>
        ports.some((one) => one.port === port),
      );
      expect(rules.map(({ from }) => from)).toEqual([[members]]);
    }
  });

  it("has one label, which selects these pods everywhere", () => {
    const { labels } = podMetadata;
    for (const { spec } of [peersService, clientService]) expect(spec.selector).toEqual(labels);
    for (const { matchLabels } of [
      set.spec.selector,
      budget.spec.selector,
      policy.spec.podSelector,
    ])
      expect(matchLabels).toEqual(labels);
  });
});
