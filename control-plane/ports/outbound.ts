/** Which hosts a call may reach; patterns are host names with `*` for any characters. */
export interface Guard {
  /** Every private address may be called. */
  readonly allowPrivate: boolean;
  /** Hosts that may be called although their addresses are private. */
  readonly privateHosts: readonly string[];
  /** When there are any, no other host is called. */
  readonly onlyHosts: readonly string[];
}

export interface Call {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For all of it. */
  readonly timeoutMs: number;
  readonly guard: Guard;
}

export interface CallAnswer {
  readonly status: number;
  /** Its first 2,000 characters. */
  readonly text: string;
}

export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** `starttls` refuses to send without; `none` sends in the clear. */
  readonly tls: "tls" | "starttls" | "none";
  readonly user?: string | undefined;
  /** Of the lab; one that the lab's place has goes before it. */
  readonly password?: string | undefined;
}

export interface Mail {
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** The same for the same message, so that a second copy can be told. */
  readonly messageId: string;
  readonly server: MailServer;
}

/** What the lab sends to others. Nothing else of the control plane calls anybody by an address that people give. */
export interface Outbound {
  /**
   * Calls whom the guard allows, at the very address that was checked; redirects are answers, not followed. Throws
   * `CallRefused` when it may not be made, any other error when nobody answered.
   */
  call(call: Call): Promise<CallAnswer>;
  /** Hands a mail to the server; gives its answer. Throws `CallRefused` when the server will never take it. */
  mail(mail: Mail): Promise<string>;
}

/** It was not sent and it makes no sense to try again; the message says why. */
export class CallRefused extends Error {
  override readonly name = "CallRefused";
}
