import type { Context, Hono } from "hono";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { requireUser } from "../domain/principal.ts";
import { addressGroup } from "../domain/sign-in-limits.ts";
import { answerTerminal, findTerminal, TERMINAL_PAGE } from "../domain/terminal-sign-in.ts";
import { clientAddress } from "../http/client-address.ts";
import { readText } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { TerminalPage, type TerminalProps } from "./terminal-page.tsx";
import { makeView } from "./view.ts";

const MAX_FORM_BYTES = 4096;
const SHOWN = { not_found: 404, throttled: 429, forbidden: 403 } as const;

/** `/account/terminal` and what its forms do. The principal is known, and that the form is one of our own pages. */
export function terminalPages(app: Hono<Env>, deps: Deps): void {
  const show = async (c: Context<Env>, shown: Omit<TerminalProps, "view"> = {}, status = 200) => {
    const view = await makeView(deps, c, requireUser(c.var.principal));
    return c.html(<TerminalPage view={view} {...shown} />, status as 200);
  };
  const form = (
    path: string,
    act: (c: Context<Env>, fields: URLSearchParams) => Promise<Response>,
  ) =>
    void app.post(path, async (c) => {
      requireUser(c.var.principal);
      try {
        return await act(c, new URLSearchParams(await readText(c.req.raw, MAX_FORM_BYTES)));
      } catch (error) {
        if (!(error instanceof AppError) || !Object.hasOwn(SHOWN, error.code)) throw error;
        const { code, message, retryAfterSeconds } = error;
        if (retryAfterSeconds !== undefined) c.header("retry-after", String(retryAfterSeconds));
        const text = `${message[0]?.toUpperCase()}${message.slice(1)}.`;
        return await show(c, { message: { text, isBad: true } }, SHOWN[code as keyof typeof SHOWN]);
      }
    });

  app.get(TERMINAL_PAGE, (c) => show(c));
  form(TERMINAL_PAGE, async (c, fields) => {
    const user = requireUser(c.var.principal);
    const [code, here] = [fields.get("code") ?? "", clientAddress(c)];
    const terminal = await findTerminal(deps, user, code, here);
    const isElsewhere = addressGroup(terminal.address) !== addressGroup(here);
    return show(c, { asks: { ...terminal, code: code.trim().toUpperCase(), isElsewhere } });
  });
  form(`${TERMINAL_PAGE}/answer`, async (c, fields) => {
    const user = requireUser(c.var.principal);
    const isYes = fields.get("answer") === "yes";
    const said = { code: fields.get("code") ?? "", isYes };
    await answerTerminal(deps, user, said, clientAddress(c));
    const text = isYes
      ? "The terminal is signed in. Its token is listed on Your account, where it can be revoked."
      : "The terminal was refused.";
    return show(c, { message: { text, isBad: false } });
  });
}
