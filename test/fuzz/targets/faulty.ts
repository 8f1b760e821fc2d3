import type { FuzzTarget } from "../engine/fuzz-target.ts";

/** Has each fault that there is to be found: shows that it would be. */
export const faulty: FuzzTarget = {
  about: "nothing: it is for the test of the fuzzer itself",
  words: [],
  seeds: () => [],
  open: async () => ({
    run(input) {
      const text = Buffer.from(input).toString();
      if (text === "hang") for (;;);
      const kept: unknown[] = [];
      while (text === "grow") kept.push(Array<number>(500_000).fill(0.5));
      if (text.includes("null")) throw new TypeError(`of ${text.length} characters`);
    },
  }),
};
