import { request } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { ObservabilityError } from "../../src/observability/errors.ts";
import { createLogger } from "../../src/observability/logger.ts";
import type { Metrics } from "../../src/observability/metrics.ts";
import { createMetrics } from "../../src/observability/metrics.ts";
import { MetricsServer } from "../../src/observability/metrics-server.ts";
import { MemorySink } from "./memory-sink.ts";

const servers: MetricsServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function open(port = 0, adapt: (metrics: Metrics) => Metrics = (metrics) => metrics) {
  const metrics = createMetrics({ namespace: "evnode", chainId: "c", nodeId: "n", version: "1" });
  const sink = new MemorySink();
  const log = createLogger({ level: "info", format: "text" }, { sink });
  const server = new MetricsServer(
    { host: "127.0.0.1", port, maxScrapes: 3 },
    { metrics: adapt(metrics), log },
  );
  servers.push(server);
  await server.start();
  return { metrics, sink, server, url: `http://127.0.0.1:${server.port}` };
}

describe("metrics server", () => {
  it("serves the metrics in Prometheus' format", async () => {
    const { metrics, url } = await open();
    metrics.onScrape(() => metrics.raft.term.set(7));
    const response = await fetch(`${url}/metrics?name=x`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0.0.4/);
    expect(await response.text()).toContain('evnode_raft_term{chain_id="c",node_id="n"} 7');
  });

  it("answers any other path 404 and any other method 405, in JSON", async () => {
    const { url } = await open();
    const missing = await fetch(`${url}/`);
    expect(missing.status).toBe(404);
    expect(await missing.json()).toEqual({ error: "not found; metrics are at /metrics" });
    const posted = await fetch(`${url}/metrics`, { method: "POST", body: "x" });
    expect(posted.status).toBe(405);
    expect(posted.headers.get("allow")).toBe("GET");
  });

  it("answers 503 while max_open_connections scrapes run, and serves again after", async () => {
    const slow = slowRender(3);
    const { url } = await open(0, (metrics) => ({ ...metrics, render: slow.render }));
    const first = [1, 2, 3].map(() => fetch(`${url}/metrics`));
    await slow.begun;
    const refused = await fetch(`${url}/metrics`);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    slow.finish();
    for (const response of await Promise.all(first)) expect(response.status).toBe(200);
    await untilServed(url);
  });

  it("does not count a scraper that hung up", async () => {
    const slow = slowRender(3);
    const { url } = await open(0, (metrics) => ({ ...metrics, render: slow.render }));
    const hung = [1, 2, 3].map(() => request(`${url}/metrics`).on("error", () => {}));
    for (const each of hung) each.end();
    await slow.begun;
    for (const each of hung) each.destroy();
    await untilServed(url);
    slow.finish();
  });

  it("answers 500 and logs once if a sample fails", async () => {
    const { metrics, sink, url } = await open();
    metrics.onScrape(() => {
      throw new Error("no statistics");
    });
    expect((await fetch(`${url}/metrics`)).status).toBe(500);
    expect((await fetch(`${url}/metrics`)).status).toBe(500);
    expect(sink.lines).toHaveLength(1);
    expect(sink.lines[0]).toContain("no statistics");
  });

  it("names the key when the port is taken", async () => {
    const { server } = await open();
    const failure = open(server.port ?? 0);
    await expect(failure).rejects.toThrow(ObservabilityError);
    await expect(failure).rejects.toThrow(/instrumentation\.prometheus_listen_addr to a free port/);
    await expect(failure).rejects.toMatchObject({ code: "METRICS_ADDRESS_IN_USE" });
  });

  it("stops twice, and before it was started", async () => {
    const { server } = await open();
    await server.stop();
    await server.stop();
    expect(server.port).toBeNull();
  });
});

/** Renderings of which the first `count` take until `finish`; `begun` resolves once all of those run. */
function slowRender(count: number) {
  const begun = Promise.withResolvers<void>();
  const finished = Promise.withResolvers<string>();
  let renders = 0;
  const render = () => {
    renders++;
    if (renders === count) begun.resolve();
    return renders <= count ? finished.promise : Promise.resolve("");
  };
  return { render, begun: begun.promise, finish: () => finished.resolve("") };
}

/** The server learns a moment later than the client that a connection is gone. */
async function untilServed(url: string): Promise<void> {
  for (;;) {
    const response = await fetch(`${url}/metrics`);
    await response.text();
    if (response.status === 200) return;
  }
}
