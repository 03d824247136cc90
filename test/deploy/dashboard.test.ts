import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { promtool, promtoolMissing } from "../observability/promtool.ts";
import { ownMetrics, unknownMetrics } from "./metric-names.ts";
import { repository } from "./repository.ts";

const Panel = z.object({
  id: z.number(),
  type: z.string(),
  title: z.string(),
  gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
  targets: z.array(z.object({ refId: z.string(), expr: z.string() })).default([]),
});
const Dashboard = z.object({
  uid: z.string(),
  title: z.string(),
  schemaVersion: z.number(),
  id: z.null(),
  panels: z.array(Panel),
  annotations: z.object({ list: z.array(z.object({ expr: z.string() })) }),
  templating: z.object({ list: z.array(z.object({ name: z.string(), type: z.string() })) }),
});

const text = readFileSync(repository("deploy/grafana/ev-sequencer.json"), "utf8");
const dashboard = Dashboard.parse(JSON.parse(text));
const { panels } = dashboard;
const expressions = [
  ...panels.flatMap((panel) => panel.targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ expr }) => expr),
];

describe("dashboard", () => {
  it("reads only metrics that a node has", () => {
    expect(unknownMetrics(text)).toEqual([]);
  });

  it("uses only variables that it defines", () => {
    const defined = dashboard.templating.list.map(({ name }) => name);
    const used = new Set([...text.matchAll(/\$\{?([a-z]\w*)\}?/g)].map(([, name]) => name));
    expect(defined).toEqual(expect.arrayContaining([...used]));
  });

  it("can be imported: ids are unique and no two panels overlap", () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });

  it("shows the four signals of a cluster in trouble", () => {
    for (const signal of [
      "evnode_raft_leader_changes_total",
      "evnode_raft_applied_index_lag",
      "evnode_raft_rpc_install_snapshot_total",
      "evnode_raft_transition_heartbeat_timeout_total",
    ]) {
      expect(expressions.filter((expression) => expression.includes(signal))).not.toEqual([]);
      expect(ownMetrics()).toContain(signal);
    }
  });

  it.skipIf(promtoolMissing)("has expressions that Prometheus can parse (needs promtool)", () => {
    const directory = mkdtempSync(join(tmpdir(), "dashboard-"));
    const file = join(directory, "rules.json");
    const rules = expressions.map((expr, at) => ({ record: `expression:${at}`, expr }));
    // YAML is a superset of JSON.
    writeFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
    expect(promtool(["check", "rules", file])).toContain(`${expressions.length} rules found`);
    rmSync(directory, { recursive: true });
  });
});
