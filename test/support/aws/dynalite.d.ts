declare module "dynalite" {
  import type { Server } from "node:http";

  /** A server that speaks DynamoDB's protocol; tables in memory. */
  const dynalite: (options: { createTableMs: number; deleteTableMs: number }) => Server;
  // oxlint-disable-next-line import/no-default-export -- it is theirs
  export default dynalite;
}
