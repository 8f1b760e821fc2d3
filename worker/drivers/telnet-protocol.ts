const IAC = 255;
const [SE, SB, WILL, WONT, DO, DONT] = [240, 250, 251, 252, 253, 254] as const;
const [BINARY, ECHO, SUPPRESS_GO_AHEAD] = [0, 1, 3] as const;
const CR = 13;
const NUL = 0;

/** What the far side may do, and what we may: a console needs no more (RFC 856, 857, 858). */
const THEIRS = new Set<number>([BINARY, ECHO, SUPPRESS_GO_AHEAD]);
const OURS = new Set<number>([BINARY, SUPPRESS_GO_AHEAD]);

export interface Decoded {
  /** What the DUT said. */
  readonly data: Uint8Array;
  /** Answers to the far side's negotiation, to be sent as they are. */
  readonly reply: Uint8Array;
}

/**
 * One side of a telnet connection, as a client (RFC 854): takes the negotiation out of what comes and answers it, and
 * escapes what goes. Until the far side has said a command of telnet, what goes is not changed: then
 * `telnet HOST PORT` reaches a plain TCP port, too. Holds no data: its memory is a few numbers.
 */
export class TelnetProtocol {
  #state: "data" | "command" | "option" | "sub" | "subCommand" = "data";
  #command = 0;
  #afterCr = false;
  #isTelnet = false;
  readonly #theirs = new Set<number>();
  readonly #ours = new Set<number>();

  decode(bytes: Uint8Array): Decoded {
    if (this.#isPlain(bytes)) return { data: bytes, reply: new Uint8Array() };
    const data: number[] = [];
    const reply: number[] = [];
    for (const byte of bytes) this.#take(byte, data, reply);
    return { data: Uint8Array.from(data), reply: Uint8Array.from(reply) };
  }

  encode(bytes: Uint8Array): Uint8Array {
    const doublesCr = !this.#ours.has(BINARY);
    if (!this.#isTelnet || !(bytes.includes(IAC) || (doublesCr && bytes.includes(CR))))
      return bytes;
    const escaped: number[] = [];
    bytes.forEach((byte, index) => {
      escaped.push(byte);
      if (byte === IAC) escaped.push(IAC);
      // Of a line end the far side's CR LF is one already; a CR alone must not be taken for the half of one.
      else if (byte === CR && doublesCr && bytes[index + 1] !== 10) escaped.push(NUL);
    });
    return Uint8Array.from(escaped);
  }

  /** Nothing in it needs a look at each byte, which is the rule when a DUT says much. */
  #isPlain(bytes: Uint8Array): boolean {
    if (this.#state !== "data" || bytes.includes(IAC)) return false;
    if (!this.#padsCr()) return true;
    return !this.#afterCr && !bytes.includes(NUL) && bytes.at(-1) !== CR;
  }

  /** Whether a carriage return that stands alone comes with a NUL behind it. */
  #padsCr(): boolean {
    return this.#isTelnet && !this.#theirs.has(BINARY);
  }

  #take(byte: number, data: number[], reply: number[]): void {
    switch (this.#state) {
      case "data":
        return this.#takeData(byte, data);
      case "command":
        this.#state = "data";
        if (byte === IAC) return void data.push(byte);
        this.#isTelnet = true;
        if (byte === SB) this.#state = "sub";
        else if (byte >= WILL) [this.#command, this.#state] = [byte, "option"];
        return;
      case "option":
        this.#state = "data";
        return this.#negotiate(byte, reply);
      case "sub":
        if (byte === IAC) this.#state = "subCommand";
        return;
      case "subCommand":
        this.#state = byte === SE ? "data" : "sub";
    }
  }

  #takeData(byte: number, data: number[]): void {
    const isPadding = byte === NUL && this.#afterCr;
    this.#afterCr = byte === CR && this.#padsCr();
    if (byte === IAC) this.#state = "command";
    else if (!isPadding) data.push(byte);
  }

  /** Answers only what changes something, else two polite sides would never end (RFC 854, "loops"). */
  #negotiate(option: number, reply: number[]): void {
    const isTheirs = this.#command === WILL || this.#command === WONT;
    const isOn = isTheirs ? this.#theirs : this.#ours;
    const [yes, no] = isTheirs ? [DO, DONT] : [WILL, WONT];
    if (this.#command === WONT || this.#command === DONT) {
      if (isOn.delete(option)) reply.push(IAC, no, option);
      return;
    }
    if (isOn.has(option)) return;
    const isGood = (isTheirs ? THEIRS : OURS).has(option);
    if (isGood) isOn.add(option);
    reply.push(IAC, isGood ? yes : no, option);
  }
}
