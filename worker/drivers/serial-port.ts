/** A serial port of this host and the settings of its line. */
export interface SerialTarget {
  readonly kind: "serial";
  readonly path: string;
  readonly baudRate: number;
  readonly dataBits: 5 | 6 | 7 | 8;
  readonly parity: "none" | "even" | "odd";
  readonly stopBits: 1 | 2;
  readonly flow: "none" | "rtscts" | "xonxoff";
}

/** An open port, as both runtimes have it. */
export interface OpenPort {
  /** Some bytes, at least one; fails when the port is closed or has gone. */
  read(buffer: Buffer): Promise<number>;
  write(bytes: Buffer): Promise<void>;
  close(): Promise<void>;
}

/** The line's settings as the package `@serialport/bindings-cpp` wants them. */
export function serialSettings(target: SerialTarget) {
  const { path, baudRate, dataBits, parity, stopBits, flow } = target;
  return {
    path,
    baudRate,
    dataBits,
    parity,
    stopBits,
    rtscts: flow === "rtscts",
    xon: flow === "xonxoff",
    xoff: flow === "xonxoff",
    // DTR falls when a port is hung up at its end, and resets some boards.
    hupcl: false,
  };
}
