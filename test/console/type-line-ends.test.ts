import { expect, test } from "vitest";
import { Console } from "../../worker/console/console.ts";
import { typeLine, type TypingOptions } from "../../worker/console/type-line.ts";

/** A far side that answers each character that is typed as it is told to. */
function farSide(answer: (character: string) => string) {
  let say: (text: string) => void = () => {};
  const typed: string[] = [];
  const console = new Console(
    {
      onData: (listener) => (say = (text) => listener(Buffer.from(text))),
      onEnd: () => {},
      write: async (bytes) => {
        const text = Buffer.from(bytes).toString();
        typed.push(text);
        const said = Array.from(text, answer).join("");
        if (said !== "") queueMicrotask(() => say(said));
      },
      close: async () => {},
    },
    { log: () => 1 },
  );
  const log = { warning: () => {}, debug: () => {} };
  const { signal } = new AbortController();
  const type = (line: string, more: Partial<TypingOptions> = {}) =>
    typeLine(console, line, { discard: "ctrl-u", log, signal, ...more });
  return { type, typed, say: (text: string) => say(text) };
}

test("a line end that a bootloader answers late does not have it execute its last command twice", async () => {
  const executed: string[] = [];
  const lines = [""];
  let last = "";
  const { type } = farSide((character) => {
    if (character !== "\n") {
      lines.push((lines.pop() ?? "") + character);
      return character;
    }
    // It is busy when the first one comes, and takes both at the second.
    if (lines.push("") === 2) return "";
    for (const line of lines.splice(0, lines.length - 1)) {
      // As U-Boot: an empty line, without a space, is the last command again.
      if (line.trim() !== "") last = line.trim();
      if (line.trim() !== "" || line === "") executed.push(last);
    }
    return "\r\n=> ";
  });
  expect(await type("mmc write 0 0 1", { onlyKnown: true })).toBe("checked");
  expect(executed).toEqual(["mmc write 0 0 1"]);
});

test("a password is typed once, and its echo is not awaited", async () => {
  let isHidden = false;
  const { type, typed } = farSide((character) => {
    if (isHidden) return "";
    isHidden = character === "\n";
    return isHidden ? "\r\n[sudo] password for lava: " : character;
  });
  expect(await type("sudo su")).toBe("checked");
  expect(await type("P@ssword-1")).toBe("unchecked");
  expect(typed).toEqual(["sudo su", "\n", "P@ssword-1\n"]);
});

test("a line that was damaged is typed again while the far side's kernel never falls silent", async () => {
  let lost = 1;
  let line = "";
  const executed: string[] = [];
  const { type, say } = farSide((character) => {
    if (character === "\n") executed.push(line);
    if ("\n\x03\x15".includes(character)) return (line = "") + "\r\n# ";
    if (line === "mou" && lost-- > 0) return "";
    line += character;
    return character;
  });
  let n = 100_000;
  const talk = setInterval(() => say(`[   12.${(n += 1)}] talker says ${n}\r\n`), 10);
  try {
    expect(await type("mount /mnt")).toBe("checked");
    expect(executed).toEqual(["mount /mnt"]);
  } finally {
    clearInterval(talk);
  }
});
