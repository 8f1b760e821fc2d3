import { Hono, type Context } from "hono";
import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import type { Principal } from "../../domain/principal.ts";
import {
  leftAlready,
  stockCaller,
  stockFinish,
  stockRunning,
  stockTicket,
  type StockCaller,
} from "../../domain/stock-jobs.ts";
import { stockLog } from "../../domain/stock-log.ts";
import type { Env } from "../../http/route.ts";
import { readForm } from "./read-form.ts";
import { readLines } from "./read-lines.ts";
import { bad, unknown } from "./refusal.ts";
import type { Tokens } from "./tokens.ts";

/** `jobs/ID/` and `jobs/ID/logs/`: a job is fetched, begins, tells its log and ends (API.md 1.3 to 1.6). */
export function stockJobRoutes(deps: Deps, tokens: Tokens): Hono<Env> {
  const app = new Hono<Env>();

  async function callerOf(c: Context): Promise<{ id: number; caller: StockCaller }> {
    const text = c.req.param("id") ?? "";
    const token = tokens.of(c);
    const id = /^[1-9]\d{0,14}$/.test(text) ? Number(text) : Number.NaN;
    const caller = Number.isNaN(id) ? undefined : await stockCaller(deps, id, token);
    if (caller === undefined) return unknown("job", text);
    if (caller === "wrong") throw tokens.wrong(c);
    return { id, caller };
  }

  app.get("/:id/", async (c) => {
    const { id, caller } = await callerOf(c);
    if (caller === "attempt before") return unknown("job", String(id));
    return c.json(await ticketOf(deps, caller.principal, id));
  });
  app.post("/:id/", async (c) => {
    const { id, caller } = await callerOf(c);
    const { fields } = await readForm(c.req.raw);
    const told = stateIn(fields);
    if (caller === "attempt before") {
      if (told !== "RUNNING") await leftAlready(deps, id, undefined);
    } else if (told === "RUNNING") {
      await unlessOver(stockRunning(deps, caller.principal, id));
    } else {
      const end = {
        result: told,
        error_type: fields.get("error_type") ?? "",
        errors: fields.get("errors") ?? "",
        description: fields.get("description") ?? "",
      };
      await unlessOver(stockFinish(deps, caller.principal, id, end));
    }
    return c.json({});
  });
  app.post("/:id/logs/", async (c) => {
    const { id, caller } = await callerOf(c);
    const { fields, isCut } = await readForm(c.req.raw);
    const [lines, index] = [fields.get("lines"), fields.get("index")];
    if (lines === null) throw bad("Missing 'lines'");
    if (index === null) throw bad("Missing 'index'");
    if (!/^\d{1,12}$/.test(index)) throw bad("Invalid 'index'");
    const records = readLines(lines, new Date(deps.system.now()).toISOString());
    // The last one is not whole, and comes again; one that alone is too long is said to have been.
    if (isCut && records.length > 1) records.pop();
    if (caller !== "attempt before") {
      await unlessOver(stockLog(deps, caller.principal, id, Number(index), records));
    }
    return c.json({ line_count: records.length });
  });
  return app;
}

async function ticketOf(deps: Deps, principal: Principal, id: number) {
  try {
    const ticket = await stockTicket(deps, principal, id);
    const { definition, device, dispatcher, env = "", env_dut } = ticket;
    return { definition, device, dispatcher, env, "env-dut": env_dut };
  } catch (error) {
    const isOver = error instanceof AppError && /^(not_found|gone)$/.test(error.code);
    if (isOver) return unknown("job", String(id));
    throw error;
  }
}

/** What a job's runner says of it: that it runs, or with what it ended. */
function stateIn(fields: URLSearchParams): "RUNNING" | "pass" | "fail" {
  const state = fields.get("state");
  if (state === null) throw bad("Missing 'state'");
  const word = state.toUpperCase();
  if (word === "RUNNING") return word;
  if (word !== "FINISHED") {
    const isKnown = /^(SUBMITTED|SCHEDULING|SCHEDULED|CANCELING)$/.test(word);
    throw bad(`${isKnown ? "Not handled" : "Invalid"} state '${state.slice(0, 100)}'`);
  }
  const result = fields.get("result");
  if (result === "pass" || result === "fail") return result;
  throw bad(`Invalid health '${(result ?? "").slice(0, 100)}'`);
}

/** A word about an attempt that has just ended is one too late: whoever says it would say it for ever. */
async function unlessOver(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof AppError && error.code === "gone")) throw error;
  }
}
