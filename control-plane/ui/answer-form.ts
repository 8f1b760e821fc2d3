import type { Context } from "hono";
import { AppError } from "../domain/app-error.ts";
import { readText } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";

/** What a page says above all else. */
export interface Said {
  text: string;
  isBad: boolean;
}

const MAX_FORM_BYTES = 512 * 1024;
const REFUSED = {
  invalid: 400,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  throttled: 429,
} as const;

/**
 * Does what a form asks; `refused` shows its page again with the reason, and with what was typed. The principal is known, and that
 * the form is one of our own pages.
 */
export async function answerForm(
  c: Context<Env>,
  act: (fields: URLSearchParams) => Promise<Response>,
  refused: (message: Said, fields: URLSearchParams) => Promise<Response>,
): Promise<Response> {
  const fields = new URLSearchParams(await readText(c.req.raw, MAX_FORM_BYTES));
  try {
    return await act(fields);
  } catch (error) {
    const isShown = error instanceof AppError && Object.hasOwn(REFUSED, error.code);
    if (!isShown) throw error;
    const { code, message, retryAfterSeconds } = error;
    if (retryAfterSeconds !== undefined) c.header("retry-after", String(retryAfterSeconds));
    c.status(REFUSED[code as keyof typeof REFUSED]);
    return refused(
      { text: `${message[0]?.toUpperCase()}${message.slice(1)}.`, isBad: true },
      fields,
    );
  }
}

/** A field of a form without the blanks around it; undefined when it is empty. */
export const typed = (fields: URLSearchParams, name: string): string | undefined =>
  fields.get(name)?.trim() || undefined;
