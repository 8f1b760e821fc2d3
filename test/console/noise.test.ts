import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import type { Transport } from "../../worker/console/transport.ts";
import { noiseOf } from "../beds/noisy.ts";
import { makeNoise, type NoiseRates, type Piece } from "../beds/noisy/noise.ts";
import { noisyTransport, typicalNoise } from "../beds/noisy/noisy-transport.ts";
import { startNoisyWire } from "../beds/noisy/noisy-wire.ts";
import { startLineServer } from "../support/line-server.ts";

const TEXT = Buffer.from("what a board says, line by line\r\n".repeat(3000));

/** What comes out of a noisy line, as text of one byte a character; pauses and resets by their names. */
function through(seed: number, rates: NoiseRates, chunk = TEXT.length): string {
  const noise = makeNoise(seed, rates);
  let out = "";
  for (let at = 0; at < TEXT.length; at += chunk) {
    out += noise
      .take(TEXT.subarray(at, at + chunk))
      .map(asText)
      .join("");
  }
  return out;
}

function asText(piece: Piece): string {
  if ("bytes" in piece) return Buffer.from(piece.bytes).toString("latin1");
  return "pauseMs" in piece ? `{pause ${piece.pauseMs}}` : "{reset}";
}

const clean = TEXT.toString("latin1");
const all: NoiseRates = {
  ...typicalNoise(0).toRunner,
  stall: 20_000,
  reset: 20_000,
};

describe("noise on a line", () => {
  test("is the same for the same seed, however the text comes in pieces", () => {
    const whole = through(7, all);
    expect(through(7, all, 1)).toBe(whole);
    expect(through(7, all, 77)).toBe(whole);
    expect(through(8, all)).not.toBe(whole);
  });

  test("of no rate changes nothing", () => {
    expect(through(1, {})).toBe(clean);
    expect(through(1, typicalNoise(1, 0).toRunner)).toBe(clean);
  });

  test.each<[keyof NoiseRates, RegExp, number]>([
    [
      "printk",
      /crng init|USB|mmc|Link|IPv6|EXT4|audit|systemd|i2c|cpufreq|thermal|firmware|driver/g,
      500,
    ],
    ["ansi", /\u001b/g, 500],
    ["nul", /\0+/g, 500],
    ["invalid", /[\xf8-\xff][\x80-\xbf]/g, 500],
    ["delay", /\{pause \d{1,2}\}/g, 500],
    ["stall", /\{pause \d{4}\}/g, 5000],
    ["reset", /\{reset\}/g, 5000],
  ])("brings %s at its rate, and nothing else is touched", (name, pattern, per) => {
    const out = through(3, { [name]: per });
    const found = out.match(pattern)?.length ?? 0;
    expect(found).toBeGreaterThan(TEXT.length / per / 2);
    expect(found).toBeLessThan((TEXT.length / per) * 3);
    expect(out.length - clean.length).toBeGreaterThan(0);
    let at = 0;
    for (const character of out) if (character === clean[at]) at += 1;
    expect(at).toBe(clean.length);
  });

  test("drops, doubles and damages characters at their rates", () => {
    const per = 1000;
    const mean = TEXT.length / per;
    const lost = clean.length - through(3, { drop: per }).length;
    const more = through(3, { double: per }).length - clean.length;
    const damaged = through(3, { corrupt: per });
    const other = Array.from(damaged).filter((character, index) => character !== clean[index]);
    expect(damaged).toHaveLength(clean.length);
    for (const count of [lost, more, other.length]) {
      expect(count).toBeGreaterThan(mean / 2);
      expect(count).toBeLessThan(mean * 2);
    }
    expect(other.some((character) => character < " ")).toBe(true);
  });

  test("makes other line ends of some", () => {
    const out = through(3, { lineEnd: 10 });
    for (const end of ["\r\r\n", "\r\n\r", "\r\n\n"]) expect(out).toContain(end);
    expect(out.replace(/[\r\n]/g, "")).toBe(clean.replace(/[\r\n]/g, ""));
  });

  test("brings 10 MB at once", () => {
    const out = through(3, { burst: 30_000 });
    expect(out.length).toBeGreaterThan(10_000_000);
  });
});

describe("a console behind a noisy line", () => {
  /** A transport whose far end is in the test's hands. */
  function farEnd(): {
    inner: Transport;
    say: (text: string) => void;
    end: () => void;
    typed: () => string;
  } {
    let onData: (bytes: Uint8Array) => void = () => {};
    let onEnd: (why: string) => void = () => {};
    let typed = "";
    return {
      inner: {
        onData: (listener) => (onData = listener),
        onEnd: (listener) => (onEnd = listener),
        write: async (bytes) => void (typed += Buffer.from(bytes).toString("latin1")),
        close: async () => {},
      },
      say: (text) => onData(Buffer.from(text)),
      end: () => onEnd("was closed"),
      typed: () => typed,
    };
  }

  test("says all before its end, in order, however late", async () => {
    const far = farEnd();
    const transport = noisyTransport(far.inner, { seed: 1, toRunner: { delay: 3 }, toDut: {} });
    let said = "";
    transport.onData((bytes) => (said += Buffer.from(bytes).toString()));
    const ended = new Promise<string>((resolve) => transport.onEnd(resolve));
    for (const word of ["one ", "two ", "three "]) far.say(word);
    far.end();
    expect(await ended).toBe("was closed");
    expect(said).toBe("one two three ");
  });

  test("calls for a reset, and damages what is typed", async () => {
    const far = farEnd();
    let resets = 0;
    const noise = { seed: 1, toRunner: { reset: 10 }, toDut: { drop: 10 } };
    const transport = noisyTransport(far.inner, noise, { onReset: () => (resets += 1) });
    transport.onData(() => {});
    far.say("x".repeat(100));
    await transport.write(Buffer.from("y".repeat(100)));
    expect(resets).toBeGreaterThan(2);
    expect(far.typed()).toMatch(/^y{70,99}$/);
  });
});

describe("a noisy wire", () => {
  test("disturbs each connection to a console in the same way, in both directions", async () => {
    const typed: string[] = [];
    const board = await startLineServer((socket, nth) => {
      socket.on("data", (bytes: Buffer) => {
        typed[nth - 1] = (typed[nth - 1] ?? "") + bytes.toString("latin1");
        if (typed[nth - 1]?.includes("!")) socket.end("said ".repeat(100));
      });
    });
    const noise = { seed: 4, toRunner: { printk: 50 }, toDut: { drop: 20 } };
    const wire = await startNoisyWire(board.port, noise);
    const heard: string[] = [];
    try {
      for (const nth of [0, 1]) {
        const socket = connect(wire.port, "127.0.0.1");
        socket.on("data", (bytes) => (heard[nth] = (heard[nth] ?? "") + bytes.toString("latin1")));
        socket.write(`${"typed ".repeat(30)}!!!!!`);
        await once(socket, "close");
      }
    } finally {
      await wire.close();
      await board.close();
    }
    expect(typed[0]?.length).toBeLessThan(185);
    expect(heard[0]?.length).toBeGreaterThan(500);
    expect([typed[1], heard[1]]).toEqual([typed[0], heard[0]]);
  });

  test("takes its rates from words", () => {
    const { seed, toRunner, toDut } = noiseOf("seed=7 factor=2 printk=50 typed.drop=9");
    expect(seed).toBe(7);
    expect(toRunner).toMatchObject({ printk: 50, drop: 3000 });
    expect(toDut).toMatchObject({ drop: 9, double: 3000 });
    expect(() => noiseOf("prink=5")).toThrow(
      "PUMICE_NOISE: prink: expected seed, factor or printk",
    );
    expect(() => noiseOf("printk")).toThrow("expected NAME=NUMBER");
  });
});
