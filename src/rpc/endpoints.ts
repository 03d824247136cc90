/** The list of paths that `GET /` gives, and what those who miss them are told. */

import type { FastifyRequest } from "fastify";
import { type Answer, json, type Route, refusalAnswer, refusalHeaders } from "./answer.ts";
import { Refusal } from "./errors.ts";

export function listingRoute(others: readonly Route[]): Route {
  const listing: Route = {
    method: "GET",
    path: "/",
    summary: "This list",
    handle: () => answer,
  };
  const answer = json({
    name: "ev-sequencer",
    endpoints: [listing, ...others].map(({ method, path, shownAs, summary }) => ({
      method,
      path: shownAs ?? path,
      summary,
    })),
  });
  return listing;
}

/** 405 where the path is known for another method, else 404 with the paths there are. */
export function answerUnknown(routes: readonly Route[], request: FastifyRequest): Answer {
  const path = request.url.split("?", 1)[0] ?? "";
  const others = routes.filter((route) => matches(route.path, path));
  return others.length > 0 ? wrongMethod(others, request.method) : wrongPath(routes, request, path);
}

function wrongMethod(others: readonly Route[], method: string): Answer {
  const allow = others.flatMap((route) => (route.method === "GET" ? ["GET", "HEAD"] : ["POST"]));
  const refusal = new Refusal(
    { code: "METHOD_NOT_ALLOWED", allow },
    `${method} is not answered here; use ${allow.join(" or ")}.`,
  );
  const own = others.find((route) => route.otherMethods !== undefined)?.otherMethods;
  return own === undefined ? refusalAnswer(refusal) : { ...own, headers: refusalHeaders(refusal) };
}

function wrongPath(routes: readonly Route[], { method }: FastifyRequest, path: string): Answer {
  const known = [...new Set(routes.map((route) => route.shownAs ?? route.path))].join(", ");
  return refusalAnswer(
    new Refusal(
      { code: "PATH_NOT_FOUND" },
      `There is no ${method} ${shorten(path)}. Known paths: ${known}. GET / describes them.`,
    ),
  );
}

/** Whether `path` is one of fastify's `pattern`, with `:name` for a segment and `*` for the rest. */
function matches(pattern: string, path: string): boolean {
  if (pattern.endsWith("/*")) return path.startsWith(pattern.slice(0, -1));
  const wanted = pattern.split("/");
  const given = path.split("/");
  return (
    wanted.length === given.length &&
    wanted.every((part, at) => (part.startsWith(":") ? given[at] !== "" : part === given[at]))
  );
}

function shorten(path: string): string {
  return path.length > 100 ? `${path.slice(0, 100)}...` : path;
}
