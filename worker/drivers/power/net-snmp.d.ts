/** What we use of net-snmp, which has no types of its own. */
declare module "net-snmp" {
  export const Version1: number;
  export const Version2c: number;
  export const ObjectType: { readonly Integer: number };
  export interface Varbind {
    oid: string;
    type: number;
    value: unknown;
  }
  export type Feedback = (error: Error | null, varbinds?: Varbind[]) => void;
  export interface Session {
    set(varbinds: Varbind[], feedback: Feedback): void;
    get(oids: string[], feedback: Feedback): void;
    close(): void;
    on(event: "error", listener: (error: Error) => void): void;
  }
  export interface SessionOptions {
    port: number;
    retries: number;
    timeout: number;
    version: number;
  }
  export function createSession(host: string, community: string, options: SessionOptions): Session;
  export function isVarbindError(varbind: Varbind): boolean;
  export function varbindError(varbind: Varbind): string;
}
