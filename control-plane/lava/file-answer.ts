import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import type { RouteContext } from "../http/route.ts";

/** What a gateway in front of us carries at once; where there is one, a longer text goes by the blobs. */
const AT_ONCE_CHARS = 2_000_000;
const MOST_CHARS = 100_000_000;
const LINK_SECONDS = 15 * 60;

/**
 * A text as a file that scripts fetch, sent as it is made. Where answers are bounded, as in the cloud, a long one is a redirect
 * (303) to where it is kept for a while. `name`: that of the file; undefined where it is only shown.
 */
export async function fileAnswer(
  deps: Deps,
  c: RouteContext,
  text: AsyncIterable<string>,
  { type, name, job }: { type: string; name?: string; job: number },
): Promise<Response> {
  const headers = {
    "content-type": type,
    "x-content-type-options": "nosniff",
    ...(name === undefined
      ? {}
      : { "content-disposition": `attachment; filename=${name.replace(/[^\w.-]/g, "_")}` }),
  };
  const encoder = new TextEncoder();
  const pieces = text[Symbol.asyncIterator]();
  if (deps.settings.blobOrigin === undefined) {
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(value));
      },
      cancel: () => void pieces.return?.(),
    });
    return c.body(body, 200, headers);
  }
  const whole: string[] = [];
  let chars = 0;
  for await (const piece of text) {
    whole.push(piece);
    chars += piece.length;
    if (chars > MOST_CHARS) {
      throw new AppError("too_large", `this text is too long for one answer: ask for parts of it`);
    }
  }
  if (chars <= AT_ONCE_CHARS) return c.body(whole.join(""), 200, headers);
  const bytes = encoder.encode(whole.join(""));
  const key = `jobs/${job}/export/${deps.system.hash(bytes).slice(0, 32)}.txt`;
  await deps.blobs.put(key, bytes);
  return c.redirect((await deps.blobs.signGet(key, LINK_SECONDS)).url, 303);
}

/** A text as a file; `name` is that of a thing of the lab. */
export const asFile = (c: RouteContext, text: string, type: string, name: string): Response =>
  c.body(text, 200, {
    "content-type": type,
    "content-disposition": `attachment; filename=${name.replace(/[^\w.-]/g, "_")}`,
    "x-content-type-options": "nosniff",
  });
