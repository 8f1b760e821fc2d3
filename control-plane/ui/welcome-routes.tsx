import type { Context, Hono } from "hono";
import { newEnrolmentSchema } from "#protocol/enrol.ts";
import { putDeviceSchema } from "#protocol/api.ts";
import type { Deps } from "../domain/deps.ts";
import { hasOnLab } from "../domain/access.ts";
import { firstSteps, type FirstSteps } from "../domain/first-steps.ts";
import { requireAdmin, requireReader } from "../domain/principal.ts";
import { requireName } from "../domain/require-name.ts";
import { sightOf } from "../domain/visible.ts";
import { labName } from "#protocol/lab.ts";
import { parse } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { isHttps } from "../http/session.ts";
import { answerForm, typed } from "./answer-form.ts";
import type { View, ViewOf } from "./view.ts";
import type { WelcomeProps } from "./welcome-page.tsx";

/**
 * The first steps of a lab in the place of its list of jobs, until it has had one; `/welcome` again later. Mounted before the jobs.
 */
export function welcomePages(app: Hono<Env>, deps: Deps, viewOf: ViewOf): void {
  app.get("/", async (c, next) => {
    const isPlain = new URL(c.req.url).search === "";
    const steps = isPlain && !deps.settings.archive ? await firstSteps(deps) : undefined;
    return steps ? show(deps, c, await viewOf(c)) : next();
  });
  const page = async (c: Context<Env>) => show(deps, c, await viewOf(c));
  app.get("/welcome", page);
  // Where a form has led: the page looks there whether the worker has come.
  app.get("/welcome/worker", page);
  app.get("/welcome/device", page);
  app.post("/welcome/worker", async (c) => enrolByForm(deps, c, await viewOf(c)));
  app.post("/welcome/device", async (c) => addDeviceByForm(deps, c, await viewOf(c)));
}

async function show(
  deps: Deps,
  c: Context<Env>,
  view: View,
  shown: Pick<WelcomeProps, "made" | "typed" | "message"> = {},
): Promise<Response> {
  requireReader(c.var.principal);
  const { WelcomePage } = await import("./welcome-page.tsx");
  const { someAdministrators } = await import("../domain/administrators.ts");
  const steps = await firstSteps(deps);
  if (!steps) return c.redirect("/", 303);
  const mayKnow = view.user !== undefined && !view.user.admin;
  const administrators = mayKnow ? await someAdministrators(deps) : [];
  const { access } = await sightOf(deps, c.var.principal);
  const told = hasOnLab(access, "view") ? steps : withoutNames(steps);
  const props = { view, steps: told, administrators, ...shown };
  return c.html(<WelcomePage {...props} />) as Response;
}

/** For who may not see every worker and device: how far the lab is, they may know. */
const withoutNames = ({ worker, device }: FirstSteps): FirstSteps => ({
  ...(worker ? { worker: { name: "it", state: worker.state } } : {}),
  ...(device === undefined ? {} : { device: "a device" }),
});

function enrolByForm(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  return answerForm(
    c,
    async (fields) => {
      requireAdmin(c.var.principal);
      const { makeEnrolment } = await import("../domain/enrol.ts");
      const worker = typed(fields, "name") ?? "";
      requireName(labName, worker, "worker");
      const request = parse(newEnrolmentSchema, { add: !fields.has("again") }, "enrolment");
      const { code } = await makeEnrolment(deps, c.var.principal, worker, request);
      const lab = addressOf(c);
      const command = `sudo pumice-worker enrol ${lab.origin} ${code}`;
      const isLoopback = /^(localhost|127\.|\[::1\])/.test(lab.hostname);
      return show(deps, c, view, { made: { worker, command, isLoopback } });
    },
    (message, fields) => refused(deps, c, view, { message, typed: Object.fromEntries(fields) }),
  );
}

/** As the browser reaches the lab, also behind a proxy. */
function addressOf(c: Context<Env>): URL {
  const url = new URL(c.req.url);
  const host = c.req.header("host") ?? url.host;
  return new URL(`${isHttps(c.req.raw) ? "https" : "http"}://${host}`);
}

function addDeviceByForm(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  return answerForm(
    c,
    async (fields) => {
      const admin = requireAdmin(c.var.principal);
      const { putDevice } = await import("../domain/devices.ts");
      const hostname = typed(fields, "hostname") ?? "";
      requireName(labName, hostname, "device");
      const request = {
        device_type: typed(fields, "device_type") ?? "",
        worker: typed(fields, "worker") ?? "",
        // A form sends its line breaks as CR LF, whatever was typed.
        dictionary: (fields.get("dictionary") ?? "").replaceAll("\r\n", "\n"),
      };
      await putDevice(deps, admin, hostname, parse(putDeviceSchema, request, "device"));
      return c.redirect("/", 303);
    },
    (message, fields) => refused(deps, c, view, { message, typed: Object.fromEntries(fields) }),
  );
}

/** Who may do nothing here is told so and shown no form. */
async function refused(
  deps: Deps,
  c: Context<Env>,
  view: View,
  shown: Pick<WelcomeProps, "typed" | "message">,
): Promise<Response> {
  requireAdmin(c.var.principal);
  return show(deps, c, view, shown);
}
