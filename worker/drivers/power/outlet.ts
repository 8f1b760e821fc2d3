/** One outlet of a power switch, as a dictionary names it: `pumice-power DRIVER ADDRESS OUTLET …`. */
export interface Outlet {
  /** URL, chip or hub: what the driver says it is. */
  readonly address: string;
  /** Which one of those behind the address. */
  readonly index: string;
  /** The electrical level is the other way round: a relay that switches on when its line is low. */
  readonly activeLow: boolean;
}

export interface PowerIo {
  readonly signal: AbortSignal;
  /** One line of what happens, for the log. */
  readonly say: (line: string) => void;
}

/** A power switch in two functions; both throw `JobFailure` Infrastructure when it does not do or say it. */
export interface PowerDriver {
  set(outlet: Outlet, on: boolean, io: PowerIo): Promise<void>;
  get(outlet: Outlet, io: PowerIo): Promise<boolean>;
  /** Only where the switch has to time it itself; else it is off, a pause, and on. */
  cycle?(outlet: Outlet, delaySeconds: number, io: PowerIo): Promise<void>;
}

export const onOff = (on: boolean): "on" | "off" => (on ? "on" : "off");

/** A text for the log: passwords and SNMP communities of its URLs are not for readers of logs. */
export const redacted = (text: string): string =>
  text
    .replace(/:\/\/[^/@\s"']*@/g, "://***@")
    .replace(/([?&](?:user|password)=)[^&\s"']*/gi, "$1***");
