/** deploy/prometheus/metrics.md lists what the code has: `vitest -u` rewrites it, and the diff is the review. */
import { expect, it } from "vitest";
import { z } from "zod";
import { createMetrics } from "../../src/observability/metrics.ts";
import { table } from "../docs/table.ts";
import { repository } from "./repository.ts";

const Metric = z.object({
  name: z.string(),
  help: z.string(),
  type: z.string(),
  labelNames: z.array(z.string()),
});

const introduction = `# Metrics

Served at \`/metrics\` on \`instrumentation.prometheus_listen_addr\` (\`:26660\`) with
\`instrumentation.prometheus: true\`. Every metric has the labels \`chain_id\` and \`node_id\`. The prefix is
\`instrumentation.namespace\`. The \`process_\` and \`nodejs_\` metrics are prom-client's.

Watch four: leader changes, the applied index lag, snapshot transfers and election timeouts. \`alerts.yml\`
has alerts for them and says what to do; \`../grafana/ev-sequencer.json\` shows them.

ev-node's metrics keep their names (\`evnode_sequencer_...\`). hashicorp/raft's stems are used where we
measure the same: \`raft.state.leader\` is \`raft_state_leader_total\`, \`raft.transition.heartbeat_timeout\` is
\`raft_transition_heartbeat_timeout_total\`, \`raft.commitTime\` is \`raft_commit_time_seconds\`,
\`raft.replication.installSnapshot\` is \`raft_replication_install_snapshot_total\`,
\`raft.rpc.installSnapshot\` is \`raft_rpc_install_snapshot_total\`.

`;

it("the list of metrics is complete", async () => {
  const options = { namespace: "evnode", chainId: "c", nodeId: "n", version: "1" };
  const rows = createMetrics(options)
    .registry.getMetricsAsArray()
    .map((metric) => Metric.parse({ ...metric }))
    .filter(({ name }) => name.startsWith("evnode_"))
    .map(({ name, type, labelNames, help }) => [`\`${name}\``, type, labelNames.join(", "), help]);
  const lines = table(["metric", "type", "labels", "meaning"], rows);
  const list = `${introduction}${lines.join("\n")}\n`;
  await expect(list).toMatchFileSnapshot(repository("deploy/prometheus/metrics.md"));
});
