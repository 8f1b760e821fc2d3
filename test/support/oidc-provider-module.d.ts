/** What our tests use of the package, which brings no types. */
declare module "oidc-provider" {
  import type { RequestListener } from "node:http";

  export type JWK = Record<string, unknown>;
  export type ClientMetadata = Record<string, unknown>;
  export type Configuration = Record<string, unknown>;
  interface Context {
    path: string;
    body: unknown;
  }
  // oxlint-disable-next-line import/no-default-export
  export default class Provider {
    constructor(issuer: string, configuration: Configuration);
    use(middleware: (context: Context, next: () => Promise<void>) => Promise<void>): void;
    callback(): RequestListener;
  }
}
