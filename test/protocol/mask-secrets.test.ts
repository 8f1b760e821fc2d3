import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { makeMasking } from "../../control-plane/protocol/mask-secrets.ts";
import { makeRecorder } from "../../worker/pipeline/recorder.ts";
import { fc } from "../support/property.ts";

const SECRET = `p@ss 'w"rd/$x+ä\\!`;

describe("a secret is masked", () => {
  const { text } = makeMasking([SECRET]);
  const bytes = Buffer.from(SECRET);

  test.each<[string, string]>([
    ["as it is", SECRET],
    ["as JSON", JSON.stringify(SECRET)],
    ["as Python's JSON", JSON.stringify(SECRET).replace("ä", "\\u00e4")],
    ["as YAML in single quotes", `'${SECRET.replaceAll("'", "''")}'`],
    ["in a shell's single quotes", `'${SECRET.replaceAll("'", "'\\''")}'`],
    ["as JavaScript's part of an address", encodeURIComponent(SECRET)],
    [
      "in an address, in small letters",
      encodeURIComponent(SECRET).replace(/%../g, (c) => c.toLowerCase()),
    ],
    ["in a form", new URLSearchParams({ a: SECRET }).toString()],
    ["as hex", bytes.toString("hex")],
    ["as HEX", bytes.toString("hex").toUpperCase()],
    ["as hex in pairs", bytes.toString("hex").replace(/..(?=.)/g, "$&:")],
    ["as base64", bytes.toString("base64")],
    ["as base64url", bytes.toString("base64url")],
  ])("%s", (_, form) => {
    const masked = text(`before ${form} after`);
    expect(masked).toContain("[MASKED]");
    expect(masked.length).toBeLessThan("before [MASKED] after".length + 8);
    expect(masked).not.toContain("w");
  });

  test("as real programs write it", () => {
    const run = (program: string, ...args: string[]) =>
      execFileSync(program, args, { encoding: "utf8" });
    const shell =
      'set -x; : "$1"; printf \'%q\\n\' "$1"; printf \'%s\' "$1" | base64; printf \'%s\' "$1" | od -An -tx1';
    const said = run("bash", "-c", `exec 2>&1; ${shell}`, "bash", SECRET);
    const python = `import json, sys, urllib.parse as u, shlex
s = sys.argv[1]
print(json.dumps(s), u.quote(s), u.quote_plus(s), shlex.quote(s), sep="\\n")`;
    const lines = [...said.split("\n"), ...run("python3", "-c", python, SECRET).split("\n")];
    const { line } = makeMasking([SECRET]);
    for (const one of lines) expect(line("debug", one)).not.toMatch(/p@ss|p%40ss|cEBzc|70 40/);
  });

  test("within a longer text in base64, at each of its three places", () => {
    for (const before of ["", "u", "us", "user:"]) {
      for (const after of ["", "x", "xy", "xyz"]) {
        const form = Buffer.from(before + SECRET + after).toString("base64");
        const masked = text(`Authorization: Basic ${form}`);
        expect(masked).toContain("[MASKED]");
        // What is left tells of its neighbours.
        const left = masked.replace("Authorization: Basic ", "").split("[MASKED]");
        expect(Math.max(...left.map(({ length }) => length))).toBeLessThanOrEqual(8);
      }
    }
  });
});

describe("a secret in a stream of lines", () => {
  const key = "0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ";
  const shown = (lines: string[]): string => {
    const { line } = makeMasking([key]);
    return lines.map((one) => line("target", one)).join("");
  };

  test("is masked wherever a terminal wraps it; a few of its first characters may be seen", () => {
    for (let at = 0; at <= key.length; at++) {
      const seen = shown([`a ${key.slice(0, at)}`, `${key.slice(at)} b`]).replaceAll(
        "[MASKED]",
        "",
      );
      expect(seen).toBe(at < 6 ? `a ${key.slice(0, at)} b` : "a  b");
    }
  });

  test("is masked over more than two lines, and over a shell's own way to wrap", () => {
    const narrow = key.match(/.{1,10}/g) ?? [];
    expect(shown(["$ echo", ...narrow, "ok"])).toMatch(/^\$ echo(\[MASKED\])+ok$/);
    expect(shown([`$ ${narrow.join(" \r")} ok`])).toBe("$ [MASKED] ok");
    expect(shown([`$ ${narrow.join("\r")} ok`])).toBe("$ [MASKED] ok");
  });

  test("that only begins, and goes on as something else, hides nothing of that", () => {
    expect(shown([`a ${key.slice(0, 12)}`, "something else", "12", "34"])).toBe(
      "a [MASKED]something else1234",
    );
  });

  test("of another console is not taken for its end", () => {
    const { line } = makeMasking([key]);
    line("target a", key.slice(0, 20));
    expect(line("target b", key.slice(20))).toBe(key.slice(20));
  });
});

const ENCODINGS: readonly ((bytes: Buffer) => string)[] = [
  (bytes) => bytes.toString(),
  (bytes) => bytes.toString("base64"),
  (bytes) => bytes.toString("base64url"),
  (bytes) => bytes.toString("hex"),
  (bytes) => encodeURIComponent(bytes.toString()),
  (bytes) => JSON.stringify(bytes.toString()).slice(1, -1),
  (bytes) => `'${bytes.toString().replaceAll("'", "'\\''")}'`,
];

test("no secret comes through, whatever it is, however it is encoded and wherever lines are wrapped", () => {
  const secret = fc
    .string({ unit: "grapheme", minLength: 8, maxLength: 60 })
    .filter(
      (text) => text.trim().length >= 8 && !/[\r\n\0]/.test(text) && !/\p{Surrogate}/u.test(text),
    );
  const noise = fc.string({ maxLength: 30 }).map((text) => text.replace(/[\r\n\0]/g, ""));
  fc.assert(
    fc.property(
      fc.array(fc.record({ secret, before: noise, encoding: fc.nat(ENCODINGS.length - 1) }), {
        minLength: 1,
        maxLength: 4,
      }),
      fc.integer({ min: 8, max: 100 }),
      (parts, columns) => {
        const secrets = parts.map(({ secret }) => secret);
        const forms = parts.map(
          ({ secret, encoding }) => ENCODINGS[encoding]?.(Buffer.from(secret)) ?? "",
        );
        const said = parts.map(({ before }, n) => before + (forms[n] ?? "")).join(" ");
        const lines: string[] = [];
        const recorder = makeRecorder({
          secrets,
          sink: (_, record) => void lines.push(String(record.msg)),
        });
        for (let at = 0; at < said.length; at += columns) {
          recorder.write("target", said.slice(at, at + columns));
        }
        const seen = lines.join("");
        for (const form of [...forms, ...secrets]) expect(seen).not.toContain(form);
        // And no more than its first few characters, of the form that was written.
        for (const form of forms) {
          const text = form.replace(/^'|'$/g, "");
          if (text.length >= 16) expect(seen).not.toContain(text.slice(8, -3));
        }
      },
    ),
    { numRuns: 400 },
  );
});

test("results and failures are masked by name and by value", () => {
  const { deep, text } = makeMasking([SECRET]);
  expect(deep({ [`a ${SECRET}`]: [{ b: JSON.stringify(SECRET) }, 3, null] })).toEqual({
    "a [MASKED]": [{ b: '"[MASKED]"' }, 3, null],
  });
  expect(text(`fetch failed: https://x/?t=${encodeURIComponent(SECRET)}`)).toBe(
    "fetch failed: https://x/?t=[MASKED]",
  );
});

test("without secrets a text is not looked at, and with a thousand of them all are still found", () => {
  expect(makeMasking([]).deep("text")).toBe("text");
  const secrets = Array.from({ length: 1000 }, (_, n) => `secret number ${n}!`);
  expect(
    makeMasking(secrets).text(`x ${secrets[777]} y ${Buffer.from(secrets[3]!).toString("hex")}`),
  ).toBe("x [MASKED] y [MASKED]");
});
