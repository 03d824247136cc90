/** How metrics are made: prefixed with the namespace, and registered where they are served. */
import type { Registry } from "prom-client";
import { Counter, collectDefaultMetrics, Gauge, Histogram } from "prom-client";
import { ObservabilityError } from "./errors.ts";

export type MetricMaker = ReturnType<typeof metricMaker>;

/** Throws {@link ObservabilityError} if the namespace cannot begin a metric's name. */
export function metricMaker(registry: Registry, namespace: string) {
  if (!/^([a-zA-Z_][a-zA-Z0-9_]*)?$/.test(namespace)) throw namespaceInvalid(namespace);
  const prefix = namespace === "" ? "" : `${namespace}_`;
  const options = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
  ) => ({
    name: prefix + name,
    help: `${help}.`,
    labelNames,
    registers: [registry],
  });
  return {
    gauge: <Label extends string = never>(
      name: string,
      help: string,
      labels: readonly Label[] = [],
    ) => new Gauge(options(name, help, labels)),
    counter: <Label extends string = never>(
      name: string,
      help: string,
      labels: readonly Label[] = [],
    ) => new Counter(options(name, help, labels)),
    histogram: <Label extends string = never>(
      name: string,
      help: string,
      buckets: number[],
      labels: readonly Label[] = [],
    ) => new Histogram({ ...options(name, help, labels), buckets }),
  };
}

/** prom-client's process and runtime metrics, but for those we have better or that break Prometheus' naming. */
export function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  for (const { name, type } of registry.getMetricsAsArray()) {
    const isMisnamed = name.endsWith("_total") && String(type) !== "counter";
    if (isMisnamed || name.startsWith("nodejs_eventloop_lag")) registry.removeSingleMetric(name);
  }
}

function namespaceInvalid(namespace: string): ObservabilityError {
  const advice = `instrumentation.namespace is ${JSON.stringify(namespace)}, but begins the name of every metric: use letters, digits and underscores, and no digit first`;
  return new ObservabilityError({ code: "METRICS_NAMESPACE_INVALID", namespace }, advice);
}
