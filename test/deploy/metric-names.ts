/** Which metrics a PromQL expression reads, and whether the node has them. */
import { createMetrics } from "../../src/observability/metrics.ts";

const options = { namespace: "evnode", chainId: "c", nodeId: "n", version: "1" };
const known = new Map(
  createMetrics(options)
    .registry.getMetricsAsArray()
    .map(({ name, type }) => [name, String(type)]),
);

/** The names in `expression` that no node serves; Prometheus' own `up` and `ALERTS` are not looked for. */
export function unknownMetrics(expression: string): string[] {
  const names = expression.match(/\b(evnode|process|nodejs)_[a-z0-9_]+/g) ?? [];
  return names.filter((name) => !known.has(name) && !isHistogramPart(name));
}

function isHistogramPart(name: string): boolean {
  const stem = name.replace(/_(bucket|sum|count)$/, "");
  return stem !== name && known.get(stem) === "histogram";
}

/** All metrics of ours, for the question which of them nobody looks at. */
export function ownMetrics(): string[] {
  return [...known.keys()].filter((name) => name.startsWith("evnode_"));
}
