import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { METHODS } from "../../../control-plane/lava/xmlrpc/methods.ts";
import type { Row } from "../row.ts";

const folder = path.resolve(import.meta.dirname, "../../lava");

/** Each method of the table, with the first test that calls it by its name. */
export const XMLRPC_ROWS: readonly Row[] = (() => {
  const tests = readdirSync(folder)
    .filter((file) => /^xmlrpc-.*\.test\.ts$/.test(file) && file !== "xmlrpc-access.test.ts")
    .map((file) => [file, readFileSync(path.join(folder, file), "utf8")] as const);
  return [...METHODS.values()].map(({ name, signature, instead }) => {
    const [file = "xmlrpc-none.test.ts"] =
      tests.find(([, text]) => text.includes(`"${name}"`)) ?? [];
    return {
      ...{ surface: "XML-RPC" as const, name, test: `test/lava/${file}`, called: `"${name}"` },
      state: instead === undefined ? ("works" as const) : ("absent" as const),
      about: instead ?? `\`${signature}\``,
    };
  });
})();
