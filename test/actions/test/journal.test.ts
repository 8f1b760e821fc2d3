import { describe, expect, test } from "vitest";
import { Journal, type Delivery } from "../../../worker/actions/test/journal.ts";
import {
  JOURNALLED,
  journalLine,
  journalSum,
  ranges,
} from "../../../worker/actions/test/journal-lines.ts";
import { between, pick, seededRandom, type Random } from "../../beds/noisy/random.ts";

type Delivered = Delivery<string>;

const ID = "4711";
const word = (number: number) => ({ id: ID, number, text: "" });
const line = (number: number, text: string) => ({ id: ID, number, text });
const started = (): Journal<string> => {
  const journal = new Journal<string>();
  journal.told("STARTS", word(0));
  return journal;
};
const whole = { isAlone: true, hasTail: false, logLine: 1 };
const texts = (deliveries: readonly Delivered[]): string[] =>
  deliveries.map((one) => {
    if (one.kind === "parsed") return one.parsed;
    return one.kind === "lost" ? `lost ${one.number}` : one.text;
  });

describe("a line of the journal", () => {
  const text = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>";
  const printed = `${text} ~${ID}.5.${journalSum(`${ID}.5 ${text}`)}~`;
  const found = (said: string) => {
    const match = new RegExp(JOURNALLED).exec(said);
    return match ? journalLine(match) : undefined;
  };

  test("is known in whatever stands around it", () => {
    expect(found(`x<LAVA_SIG[ 1.5] noise ${printed}[ 2.5] more`)).toEqual(line(5, text));
  });

  test("is not believed when any of its characters is another, is missing or doubled", () => {
    for (let at = 0; at < printed.length; at++) {
      const [head, tail] = [printed.slice(0, at), printed.slice(at + 1)];
      for (const other of ["", "x", "7", " ", "\0", "\uFFFD", (printed[at] ?? "").repeat(2)]) {
        // One more at either end is no part of it.
        if (other === printed[at] || /^(<<|~~)$/.test(other)) continue;
        expect(found(head + other + tail), `${head}|${other}|${tail}`).toBeUndefined();
      }
    }
  });

  test("numbers are told as ranges, as many as fit", () => {
    expect(ranges([12, 15, 16, 17])).toBe("12,15-17");
    expect(ranges([1, 3, 5, 7, 9, 11], 8)).toBe("1,3,5,7");
  });
});

describe("a journal", () => {
  test("asks for what is missing, and gives it in its place", () => {
    const journal = started();
    expect(texts(journal.entry(line(1, "one"), 1))).toEqual(["one"]);
    expect(journal.entry(line(3, "three"), 2)).toEqual([]);
    expect([...journal.missing]).toEqual([2]);
    expect(journal.told("HOLDS", word(3)).answer).toMatch(/^#LAVA_JOURNAL 4711 WANT 2 \d+-\d+$/);
    expect(texts(journal.entry(line(2, "two"), 3))).toEqual(["two", "three"]);
    expect(journal.told("HOLDS", word(3)).answer).toMatch(/^#LAVA_JOURNAL 4711 OK 3 /);
  });

  test("takes a signal without a number for a test's own once all around it is known", () => {
    const journal = started();
    journal.entry(line(1, "one"), 1);
    expect(journal.candidate({ ...whole, text: "<LAVA_SIGNAL_X own>" })).toEqual([]);
    journal.parsed("match");
    expect(texts(journal.entry(line(2, "two"), 1))).toEqual([
      "<LAVA_SIGNAL_X own>",
      "match",
      "two",
    ]);
  });

  test("puts an entry where its damaged copy was, else as early as it can be", () => {
    const journal = started();
    const text = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=case-2 RESULT=pass>";
    const damaged = text.replace("case-2", "cas-2");
    const own = "<LAVA_SIGNAL_STARTTC own>";
    journal.candidate({ ...whole, text: own });
    journal.candidate({ ...whole, text: damaged, hasTail: true });
    journal.candidate({ ...whole, text: own });
    journal.told("HOLDS", word(2));
    journal.entry(line(2, text), 9);
    expect(texts(journal.entry(line(1, "<LAVA_SIGNAL_STARTRUN x y>"), 9))).toEqual([
      "<LAVA_SIGNAL_STARTRUN x y>",
      own,
      text,
      own,
    ]);
  });

  test("of another run is a test's own: something was left in the background", () => {
    const journal = started();
    journal.entry({ id: "1", number: 7, text: "<LAVA_SIGNAL_X late>" }, 1);
    expect(texts(journal.entry(line(1, "one"), 2))).toEqual(["<LAVA_SIGNAL_X late>", "one"]);
  });

  test("that ends too early keeps what arrived, tells what is lost, and guesses nothing", () => {
    const journal = started();
    const beside = { ...whole, text: "<LAVA_SIGNAL_X beside>" };
    journal.entry(line(1, "one"), 1);
    journal.candidate(beside);
    journal.entry(line(4, "four"), 2);
    journal.candidate({ ...whole, text: "<LAVA_SIGNAL_X own>" });
    const last = journal.close();
    expect(last.map(({ kind }) => kind)).toEqual(["lost", "lost", "dropped", "signal", "signal"]);
    expect(texts(last).at(-1)).toBe("<LAVA_SIGNAL_X own>");
  });

  test("gives an entry up that the DUT has not, after many questions", () => {
    const journal = started();
    const deliveries: Delivered[] = [];
    let answer: string | undefined = "";
    for (let asked = 0; !answer?.includes(" OK "); asked++) {
      expect(asked).toBeLessThan(200);
      const told = journal.told("HOLDS", word(1));
      deliveries.push(...told.deliveries);
      answer = told.answer;
    }
    expect(texts(deliveries)).toEqual(["lost 1"]);
    // The answer to the last question, damaged as those before it: no test prints while the DUT waits.
    const copy = journal.candidate({ ...whole, text: "<LAVA_SIGNAL_X one>" });
    expect(copy).toMatchObject([{ kind: "dropped" }]);
    expect(texts(journal.entry(line(2, "two"), 2))).toEqual(["two"]);
    journal.candidate({ ...whole, text: "<LAVA_SIGNAL_X own>" });
    const last = journal.entry(line(3, "three"), 3);
    expect(texts(last)).toEqual(["<LAVA_SIGNAL_X own>", "three"]);
  });

  test("holds a bounded number of lines for the sake of what is missing", () => {
    const journal = started();
    const deliveries: Delivered[] = [];
    for (let number = 2; number <= 10_000; number++) {
      deliveries.push(...journal.entry(line(number, String(number)), number));
    }
    expect(texts(deliveries.slice(0, 2))).toEqual(["lost 1", "2"]);
    expect(deliveries).toHaveLength(10_000);
  });

  test("believes no number that is far from all others: a test may print what it likes", () => {
    const journal = started();
    journal.entry(line(1, "one"), 1);
    const far = 999_999_999;
    expect(journal.told("HOLDS", word(far))).toEqual({ deliveries: [], answer: undefined });
    journal.entry(line(far, "far"), 2);
    expect(journal.missing.size).toBe(0);
    // It is a line like those that tests print without a journal.
    expect(texts(journal.entry(line(2, "two"), 3))).toEqual(["far", "two"]);
  });
});

interface Printed {
  readonly number?: number;
  readonly text: string;
}

/** What a DUT prints: entries, what tests print themselves, and results in a definition's own words. */
function aStage(random: Random): Printed[] {
  let number = 0;
  return Array.from({ length: between(random, 5, 60) }, (_, at): Printed => {
    const kind = random();
    if (kind < 0.1) return { text: `<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=own-${at} RESULT=skip>` };
    if (kind < 0.2) return { text: `parsed ${at}` };
    const words = pick(random, ["STARTTC", "ENDTC", "TESTEVENT"]);
    const text =
      kind < 0.5
        ? `<LAVA_SIGNAL_${words} case-${at}>`
        : `<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=case-${at} RESULT=pass>`;
    return { number: ++number, text };
  });
}

/** A line behind noise: as it is, damaged, or as nothing that can be known. */
function says(journal: Journal<string>, random: Random, { number, text }: Printed): Delivered[] {
  if (text.startsWith("parsed")) return journal.parsed(text);
  if (number === undefined) return journal.candidate({ ...whole, text });
  const noise = random();
  if (noise < 0.5) return journal.entry(line(number, text), 1);
  if (noise < 0.6) return [];
  const at = between(random, 20, text.length - 2);
  const damaged =
    noise < 0.8
      ? `${text.slice(0, at)}[   12.345678] usb 1-1: <new> device\r\n${text.slice(at)}`
      : text.slice(0, at) + text.slice(at + 1);
  const cut = noise < 0.7 ? damaged.slice(0, damaged.indexOf(">") + 1) : damaged;
  const hasTail = noise > 0.75;
  const copy = journal.candidate({ text: cut, logLine: 1, isAlone: false, hasTail });
  if (noise < 0.65 || noise > 0.72) return copy;
  return [...copy, ...journal.entry(line(number, text), 1, { isMended: true })];
}

describe.each(Array.from({ length: 200 }, (_, seed) => seed))("behind noise, seed %i", (seed) => {
  const random = seededRandom(seed, "journal");
  const printed = aStage(random);
  const entries = printed.filter(({ number }) => number !== undefined);

  test("each entry is given once, in order, and each own signal in its place", () => {
    const journal = started();
    const given = printed.flatMap((one) => says(journal, random, one));
    for (let answer = ""; !answer.includes(" OK ");) {
      const told = journal.told("HOLDS", word(entries.length));
      given.push(...told.deliveries);
      answer = told.answer ?? "";
      for (const wanted of wantedOf(answer)) {
        const entry = entries[wanted - 1];
        if (entry) given.push(...says(journal, random, entry));
      }
    }
    given.push(...journal.told("ENDS", word(entries.length)).deliveries, ...journal.close());
    const isOwn = (text: string): boolean => /own-|parsed/.test(text);
    const counted = texts(given.filter(({ kind }) => kind !== "dropped"));
    expect(counted.filter((text) => !isOwn(text))).toEqual(entries.map(({ text }) => text));
    expect(counted.filter(isOwn)).toEqual(
      printed.map(({ text }) => text).filter((text) => isOwn(text)),
    );
  });

  test("nothing is given twice or out of order when the DUT dies, and what it is known to have had is told", () => {
    const journal = started();
    const given = printed
      .slice(0, between(random, 1, printed.length))
      .flatMap((one) => says(journal, random, one));
    given.push(...journal.close());
    const numbers = given.flatMap((one) => {
      if (one.kind === "lost") return [one.number];
      return one.kind === "signal" && one.number !== undefined ? [one.number] : [];
    });
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, at) => at + 1));
    for (const one of given) {
      if (one.kind !== "signal" || one.number === undefined) continue;
      expect(one.text).toBe(entries[one.number - 1]?.text);
    }
  });
});

function wantedOf(answer: string): number[] {
  const list = / WANT (\S+) /.exec(answer)?.[1] ?? "";
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}
