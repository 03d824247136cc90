/** Probes, in ev-node's paths and words and under Kubernetes' names: plain text, one line. */

import type { FastifyRequest } from "fastify";
import { describeError } from "../base/coded-error.ts";
import { type Answer, type Route, text } from "./answer.ts";
import type { Health, NodeApi } from "./api.ts";
import type { RpcLogger } from "./options.ts";

interface Probe {
  readonly name: string;
  readonly path: string;
  /** Kubernetes' name for it, which `?verbose` prints. */
  readonly alias: string;
  readonly summary: string;
  readonly check: () => Promise<Health>;
  readonly good: string;
  readonly bad: (reason: string) => string;
}

export function healthRoutes(api: NodeApi, log: RpcLogger): readonly Route[] {
  const probes: readonly Probe[] = [
    {
      name: "live",
      path: "/health/live",
      alias: "livez",
      summary: "200 while the process works, whatever its peers do; 503 with the reason",
      check: () => api.live(),
      good: "OK",
      bad: (reason) => `FAIL: ${reason}`,
    },
    {
      name: "ready",
      path: "/health/ready",
      alias: "readyz",
      summary: "200 while the node follows or leads and is up to date; 503 with the reason",
      check: () => api.ready(),
      good: "READY",
      bad: (reason) => `UNREADY: ${reason}`,
    },
    {
      name: "leader",
      path: "/health/leader",
      alias: "leader",
      summary: "200 only on the leader, with a valid lease; 503 with the reason",
      check: () => api.leader(),
      good: "LEADER",
      bad: (reason) => `NOT LEADER: ${reason}`,
    },
  ];
  return probes.flatMap((probe) =>
    [probe.path, `/${probe.alias}`].map((path) => ({
      method: "GET" as const,
      path,
      summary: probe.summary,
      isProbe: true,
      handle: async (request: FastifyRequest) => answer(probe, request, await run(probe, log)),
    })),
  );
}

/** A check that cannot be made has failed; its error is for the log, not for whoever probes. */
async function run(probe: Probe, log: RpcLogger): Promise<Health> {
  try {
    return await probe.check();
  } catch (error) {
    log.error({ probe: probe.name, error: describeError(error) }, "health check failed");
    return { isHealthy: false, reason: "the check itself failed, see the log" };
  }
}

function answer(probe: Probe, request: FastifyRequest, health: Health): Answer {
  const status = health.isHealthy ? 200 : 503;
  const reason = health.reason.replace(/\s+/g, " ").trim();
  if (isVerbose(request.query)) return text(verbose(probe, health.isHealthy, reason), status);
  return text(`${health.isHealthy ? probe.good : probe.bad(reason)}\n`, status);
}

function isVerbose(query: unknown): boolean {
  return typeof query === "object" && query !== null && "verbose" in query;
}

/** As kube-apiserver prints it. */
function verbose({ name, alias }: Probe, isHealthy: boolean, reason: string): string {
  return isHealthy
    ? `[+]${name} ok\n${alias} check passed\n`
    : `[-]${name} failed: ${reason}\n${alias} check failed\n`;
}
