import { lineText } from "#protocol/log-text.ts";
import { MOST_OF_LINE, type LogQueryText, type ToSearchWorker } from "./log-messages.ts";
import { unpackText } from "./pack-text.ts";

/** Beside the job's page: finds a text in one block of the log after another. The page ends it when an expression takes too long. */

addEventListener("message", ({ data }: MessageEvent<ToSearchWorker>) => void search(data));

async function search({ block, query }: ToSearchWorker): Promise<void> {
  const text = typeof block.text === "string" ? block.text : await unpackText(block.text);
  const find = finder(query);
  const found: number[] = [];
  for (const [n, json] of text.split("\n").entries()) {
    const line = lineText(JSON.parse(json) as Record<string, unknown>);
    for (const [start, length] of find(line)) found.push(block.first + n, start, length);
  }
  const message = Uint32Array.from(found);
  postMessage(message, { transfer: [message.buffer] });
}

type Place = [start: number, length: number];

function finder({ text, isRegex, isCased }: LogQueryText): (line: string) => Place[] {
  const source = isRegex ? text : text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  const pattern = new RegExp(source, isCased ? "g" : "gi");
  return (line) => {
    const places: Place[] = [];
    for (const { 0: found, index } of line.matchAll(pattern)) {
      if (found !== "" && places.push([index, found.length]) === MOST_OF_LINE) break;
    }
    return places;
  };
}
