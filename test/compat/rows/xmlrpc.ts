import { METHODS } from "../../../control-plane/lava/xmlrpc/methods.ts";
import type { Row } from "../row.ts";

/** Each method of the table. */
export const XMLRPC_ROWS: readonly Row[] = [...METHODS.values()].map(
  ({ name, signature, instead }) =>
    instead === undefined
      ? { surface: "XML-RPC", name, state: "works", about: `\`${signature}\`` }
      : { surface: "XML-RPC", name, state: "absent", refused: "fault 400", about: instead },
);
