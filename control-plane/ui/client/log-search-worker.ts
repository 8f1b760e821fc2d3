import { lineText } from "#protocol/log-text.ts";
import type { LogQueryText, ToSearchWorker } from "./log-messages.ts";
import { unpackText } from "./pack-text.ts";

/** Beside the job's page: finds a text in one block of the log after another. The page ends it when an expression takes too long. */

addEventListener("message", ({ data }: MessageEvent<ToSearchWorker>) => void search(data));

async function search({ block, query }: ToSearchWorker): Promise<void> {
  const text = typeof block.text === "string" ? block.text : await unpackText(block.text);
  const find = finder(query);
  const found: number[] = [];
  for (const [n, json] of text.split("\n").entries()) {
    const match = find(lineText(JSON.parse(json) as Record<string, unknown>));
    if (match) found.push(block.first + n, ...match);
  }
  const message = Uint32Array.from(found);
  postMessage(message, { transfer: [message.buffer] });
}

type Match = [start: number, length: number];

function finder({ text, isRegex, isCased }: LogQueryText): (line: string) => Match | undefined {
  const source = isRegex ? text : text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  const pattern = new RegExp(source, isCased ? "" : "i");
  return (line) => {
    const match = pattern.exec(line);
    return match?.[0] ? [match.index, match[0].length] : undefined;
  };
}
