import { expect, test } from "vitest";
import { Console } from "../../worker/console/console.ts";
import type { Transport } from "../../worker/console/transport.ts";
import { fc } from "../support/property.ts";

/** A DUT that says what it is told to, and the log of it. */
function scriptedDut(): { console: Console; say: (bytes: Uint8Array) => void; log: string[] } {
  let say = (_bytes: Uint8Array): void => {};
  const transport: Transport = {
    onData: (listener) => (say = listener),
    onEnd: () => {},
    write: async () => {},
    close: async () => {},
  };
  const log: string[] = [];
  const console = new Console(transport, { log: (_, text) => log.push(text) - 1 });
  return { console, say: (bytes) => say(bytes), log };
}

const wait = { timeoutSeconds: 20, signal: new AbortController().signal };

test("each match is found once, in order and in its line of the log, in whatever pieces bytes come", async () => {
  const line = fc.oneof(
    fc.nat(99).map((n) => `<S ${n}>\r\n`),
    fc.constantFrom(
      "",
      "+ echo ",
      "noise <S",
      "\u001b[1m",
      "grün €",
      "\r\n",
      "\r\r\n",
      "\n",
      "<S x>\n",
    ),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 60 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
      async (lines, cuts) => {
        const text = `${lines.join("")}the end\n`;
        const { console, say, log } = scriptedDut();
        const bytes = Buffer.from(text);
        const found: string[] = [];
        const reader = (async () => {
          for (;;) {
            const patterns = { signal: /<S (\d+)>/g, end: /the end/g };
            const { name, match, logLine } = await console.expect(patterns, {
              ...wait,
              inLine: true,
            });
            expect(log[logLine]).toContain(match[0]);
            if (name === "end") return;
            found.push(match[1] ?? "");
          }
        })();
        for (let at = 0, n = 0; at < bytes.length; n++) {
          const length = cuts[n % cuts.length] ?? 1;
          say(bytes.subarray(at, at + length));
          at += length;
          if (n % 3 === 0) await Promise.resolve();
        }
        await reader;
        expect(found).toEqual([...text.matchAll(/<S (\d+)>/g)].map(([, number]) => number));
        const logged = text.split(/\r{0,2}\n/).slice(0, -1);
        expect(log).toEqual(logged.map((one) => one.replaceAll("\u001b", "")));
      },
    ),
    { seed: 6, numRuns: 200 },
  );
});

test("what is awaited is found at the beginning of a burst of 10 MB that comes at once", async () => {
  const { console, say, log } = scriptedDut();
  const awaited = console.expect({ signal: /<S (\d+)>\n/g }, wait);
  say(Buffer.from(`<S 1>\n${"noise without an end ".repeat(500_000)}\n<S 2>\n`));
  expect((await awaited).match[1]).toBe("1");
  expect((await console.expect({ signal: /<S (\d+)>\n/g }, wait)).match[1]).toBe("2");
  expect(log[0]).toBe("<S 1>");
  expect(log.at(-1)).toBe("<S 2>");
});
