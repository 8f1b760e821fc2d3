import type { Context } from "hono";
import type { Problem } from "#protocol/api.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import type { Principal } from "../domain/principal.ts";
import { problemResponse } from "../http/problem.ts";
import { ErrorPage } from "./error-page.tsx";
import { setSecurityHeaders } from "./security-headers.ts";
import { makeView } from "./view.ts";

const TITLES: Partial<Record<Problem["code"], string>> = {
  not_found: "Not found",
  forbidden: "Not allowed",
  invalid: "That cannot be understood",
  conflict: "That is not possible now",
  too_large: "Too large",
  gone: "Gone",
};

/** A failed request: who is not signed in goes to sign in, a browser gets a page, everything else a problem. */
export async function errorResponse(deps: Deps, error: unknown, c: Context): Promise<Response> {
  const wantsPage = c.req.header("accept")?.includes("text/html") ?? false;
  if (!wantsPage) return problemResponse(deps, error, c);
  if (error instanceof AppError && error.code === "unauthenticated") {
    const next = c.req.method === "GET" ? `${c.req.path}${new URL(c.req.url).search}` : "/";
    return c.redirect(next === "/" ? "/sign-in" : `/sign-in?next=${encodeURIComponent(next)}`, 303);
  }
  const response = problemResponse(deps, error, c);
  const { code, message, request_id } = (await response.json()) as Problem;
  const view = await makeView(deps, c, c.get("principal") as Principal | undefined);
  const title = TITLES[code] ?? "Something went wrong";
  c.status(response.status as 500);
  // What is refused on the way to a page has not come to where pages get theirs.
  setSecurityHeaders(c, deps.settings.blobOrigin);
  return c.html(
    <ErrorPage
      view={view}
      title={title}
      message={message}
      {...(request_id ? { requestId: request_id } : {})}
    />,
  );
}
