import * as v from "valibot";
import { anyMapping, flag, mapOf, may, oneOf, text } from "#protocol/schema-parts.ts";
import type { Blocks } from "./blocks.ts";
import { anyOf, has } from "./choices.ts";
import { atLeast, texts, wholeNumber } from "./values.ts";

/** JOB.md 8: what the job says to the protocols, at its top. */
export const protocolsSchema = (blocks: Blocks) =>
  blocks.mapping(
    may({
      "lava-multinode": blocks.mapping({
        roles: mapOf(roleSchema(blocks)),
        ...may({ timeout: blocks.timeout }),
      }),
      "lava-xnbd": blocks.mapping({
        port: v.union([oneOf("auto"), wholeNumber], "expected auto or a whole number"),
        ...may({ timeout: blocks.timeout }),
      }),
    }),
  );

/** JOB.md 8.1: a role has devices of its own, or connects to another's. */
function roleSchema({ mapping, timeout, context }: Blocks) {
  const common = {
    count: atLeast(0),
    ...may({ essential: flag, tags: texts, timeout, context }),
  };
  return anyOf(
    [
      mapping({
        ...common,
        device_type: text,
        ...may({ device: text, worker: text, environment: anyMapping }),
      }),
      mapping({
        ...common,
        connection: text,
        host_role: text,
        expect_role: text,
        ...may({ request: text }),
      }),
    ],
    (input) => (has(input, "connection") || has(input, "host_role") ? 1 : 0),
  );
}
