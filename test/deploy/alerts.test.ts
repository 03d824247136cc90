import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { promtool, promtoolMissing } from "../observability/promtool.ts";
import { unknownMetrics } from "./metric-names.ts";
import { repository } from "./repository.ts";

const rulesFile = repository("deploy/prometheus/alerts.yml");
const testsFile = repository("deploy/prometheus/alerts.test.yml");
const scrapeFile = repository("deploy/prometheus/prometheus.yml");

const Rule = z.object({
  alert: z.string(),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.strictObject({ severity: z.enum(["critical", "warning"]) }),
  annotations: z.strictObject({ summary: z.string(), description: z.string() }),
});
const Rules = z.object({ groups: z.array(z.object({ name: z.string(), rules: z.array(Rule) })) });
const Tests = z.object({
  tests: z.array(
    z.object({
      input_series: z.array(z.object({ series: z.string(), values: z.string() })),
      promql_expr_test: z.array(z.object({ expr: z.string(), exp_samples: z.array(z.unknown()) })),
    }),
  ),
});

const rules = Rules.parse(parse(readFileSync(rulesFile, "utf8"))).groups.flatMap(
  (group) => group.rules,
);
const { tests } = Tests.parse(parse(readFileSync(testsFile, "utf8")));

describe("alerts", () => {
  it.each(rules)("$alert reads metrics that a node has", ({ expr }) => {
    expect(unknownMetrics(expr)).toEqual([]);
  });

  it.each(rules)("$alert says what is wrong, and what to do", ({ annotations }) => {
    expect(annotations.summary).toMatch(/\{\{[^}]*\$(labels|value)/);
    expect(annotations.description.length).toBeGreaterThan(60);
  });

  it.each(rules)("$alert is shown to fire for one of several, and not for the others", (rule) => {
    const own = tests.filter((test) =>
      test.promql_expr_test.some(({ expr }) => expr.includes(`"${rule.alert}"`)),
    );
    expect(own).toHaveLength(1);
    const fired = own.flatMap((test) => test.promql_expr_test[0]?.exp_samples ?? []);
    const series = own.flatMap((test) => test.input_series);
    expect(fired.length).toBeGreaterThan(0);
    expect(series.length).toBeGreaterThan(fired.length);
  });

  it("cover the four signals of a cluster in trouble", () => {
    expect(rules.map(({ alert }) => alert)).toEqual(
      expect.arrayContaining([
        "EvSequencerFrequentLeaderChanges",
        "EvSequencerAppliedIndexLag",
        "EvSequencerSnapshotTransfer",
        "EvSequencerElectionTimeouts",
      ]),
    );
  });

  it("name only alerts that exist, where one refers to another", () => {
    const names = new Set(rules.map(({ alert }) => alert));
    const mentioned = readFileSync(rulesFile, "utf8").match(/\bEvSequencer\w+/g) ?? [];
    const inScrapeFile = readFileSync(scrapeFile, "utf8").match(/\bEvSequencer\w+/g) ?? [];
    for (const name of [...mentioned, ...inScrapeFile]) expect(names).toContain(name);
  });
});

describe.skipIf(promtoolMissing)("promtool", () => {
  it("accepts the rules and the scrape configuration", () => {
    expect(promtool(["check", "rules", rulesFile])).toContain(`${rules.length} rules found`);
    expect(promtool(["check", "config", scrapeFile])).toContain("SUCCESS");
  });

  it("sees every alert fire where it should, and nowhere else", () => {
    expect(promtool(["test", "rules", testsFile])).toContain("SUCCESS");
  });
});
