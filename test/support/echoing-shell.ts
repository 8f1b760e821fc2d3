import type { Transport } from "../../worker/console/transport.ts";

/**
 * A shell that echoes what is typed: the first line as it is, all others as `echoed` says, by the number of the attempt. To each
 * line's end it says `answer` and a prompt.
 */
export function echoingShell(
  echoed: (character: string, attempt: number) => string,
  answer = "",
): Transport {
  let say: (text: string) => void = () => {};
  let attempt = 0;
  return {
    onData: (listener) => (say = (text) => listener(Buffer.from(text))),
    onEnd: () => {},
    write: async (bytes) => {
      const text = Buffer.from(bytes).toString();
      // A line's end, or what discards one.
      if (/[\n\x03\x15]/.test(text)) {
        attempt += 1;
        say(text === "\n" ? `\r\n${answer}$ ` : "^C\r\n$ ");
      } else {
        const characters = text.match(/./g) ?? [];
        say(characters.map((one) => (attempt === 0 ? one : echoed(one, attempt))).join(""));
      }
    },
    close: async () => {},
  };
}
