import type { Context } from "hono";
import type { Problem } from "#protocol/api.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import type { Principal } from "../domain/principal.ts";
import { problemResponse } from "../http/problem.ts";
import type { ErrorProps } from "./error-page.tsx";
import { setSecurityHeaders } from "./security-headers.ts";
import { makeView, type View } from "./view.ts";

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
  const principal = c.get("principal") as Principal | undefined;
  const view = await makeView(deps, c, principal);
  const retryAfter = c.res.headers.get("retry-after") ?? response.headers.get("retry-after");
  const more = await help(deps, c, code, view, principal);
  const { ErrorPage } = await import("./error-page.tsx");
  c.status(response.status as 500);
  // What is refused on the way to a page has not come to where pages get theirs.
  setSecurityHeaders(c, deps.settings.blobOrigin);
  return c.html(
    <ErrorPage
      view={view}
      code={code}
      message={message}
      requestId={request_id}
      retryAfterSeconds={retryAfter === null ? undefined : Number(retryAfter)}
      {...more}
    />,
  );
}

type Help = Pick<ErrorProps, "meant" | "words" | "administrators" | "from">;

/** What a page can say besides; nothing where finding it fails, since something has failed already. */
async function help(
  deps: Deps,
  c: Context,
  code: Problem["code"],
  view: View,
  principal: Principal | undefined,
): Promise<Help> {
  const from = pageBefore(c);
  const back = from === undefined ? {} : { from };
  if (!principal || !view.user) return back;
  try {
    if (code === "forbidden" && !view.user.admin) {
      const { someAdministrators } = await import("../domain/administrators.ts");
      return { ...back, administrators: await someAdministrators(deps) };
    }
    if (code !== "not_found") return back;
    const { whatWasMeant } = await import("./what-was-meant.ts");
    return { ...back, ...(await whatWasMeant(deps, principal, c.req.path)) };
  } catch (error) {
    deps.system.log("no help for an error's page", { path: c.req.path, error: String(error) });
    return back;
  }
}

/** Of this lab, and not the one that failed. */
function pageBefore(c: Context): string | undefined {
  const referer = c.req.header("referer") ?? "";
  if (!URL.canParse(referer)) return undefined;
  const { host, pathname, search } = new URL(referer);
  const here = new URL(c.req.url);
  if (host !== (c.req.header("host") ?? here.host)) return undefined;
  const path = pathname + search;
  return path === here.pathname + here.search || path.startsWith("//") ? undefined : path;
}
