import { describe, expect, test } from "vitest";
import { TelnetProtocol } from "../../worker/drivers/telnet-protocol.ts";
import { fc } from "../support/property.ts";

const [IAC, SE, SB, WILL, WONT, DO, DONT] = [255, 240, 250, 251, 252, 253, 254] as const;
const [BINARY, ECHO, SGA, TIMING_MARK, WINDOW_SIZE, COM_PORT] = [0, 1, 3, 6, 31, 44] as const;

/** What a client that has just connected takes and answers. */
function says(telnet: TelnetProtocol, ...bytes: number[]): { data: number[]; reply: number[] } {
  const { data, reply } = telnet.decode(Uint8Array.from(bytes));
  return { data: [...data], reply: [...reply] };
}
const text = (string: string): number[] => [...Buffer.from(string, "latin1")];

describe("a telnet client", () => {
  test("accepts what a console server offers, and says so once", () => {
    const telnet = new TelnetProtocol();
    expect(says(telnet, IAC, WILL, SGA, IAC, WILL, ECHO, IAC, DO, BINARY).reply).toEqual([
      IAC,
      DO,
      SGA,
      IAC,
      DO,
      ECHO,
      IAC,
      WILL,
      BINARY,
    ]);
    expect(says(telnet, IAC, WILL, SGA, IAC, DO, BINARY).reply).toEqual([]);
  });

  test("refuses the rest: each request, but no announcement that something is off", () => {
    const telnet = new TelnetProtocol();
    expect(says(telnet, IAC, DO, WINDOW_SIZE, IAC, WILL, COM_PORT).reply).toEqual([
      IAC,
      WONT,
      WINDOW_SIZE,
      IAC,
      DONT,
      COM_PORT,
    ]);
    expect(says(telnet, IAC, DO, TIMING_MARK, IAC, DO, TIMING_MARK).reply).toHaveLength(6);
    expect(says(telnet, IAC, DONT, WINDOW_SIZE, IAC, WONT, COM_PORT).reply).toEqual([]);
  });

  test("gives up an option when it is told to", () => {
    const telnet = new TelnetProtocol();
    says(telnet, IAC, WILL, ECHO);
    expect(says(telnet, IAC, WONT, ECHO).reply).toEqual([IAC, DONT, ECHO]);
    expect(says(telnet, IAC, WONT, ECHO).reply).toEqual([]);
  });

  test("takes negotiation out of what the DUT says, wherever it is cut", () => {
    const stream = [
      ...text("Hit any"),
      IAC,
      SB,
      COM_PORT,
      1,
      2,
      IAC,
      IAC,
      3,
      IAC,
      SE,
      ...text(" key"),
      IAC,
      IAC,
      IAC,
      DO,
      SGA,
      ...text("\r\0\r\n"),
    ];
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length)), (cuts) => {
        const telnet = new TelnetProtocol();
        const places = [0, ...cuts.sort((a, b) => a - b), stream.length];
        const pieces = places.slice(1).map((end, n) => stream.slice(places[n], end));
        const answers = pieces.map((piece) => says(telnet, ...piece));
        expect(answers.flatMap(({ data }) => data)).toEqual([...text("Hit any key\u00ff\r\r\n")]);
        expect(answers.flatMap(({ reply }) => reply)).toEqual([IAC, WILL, SGA]);
      }),
    );
  });

  test("escapes what it sends: byte 255, and a carriage return alone", () => {
    const telnet = new TelnetProtocol();
    says(telnet, IAC, WILL, ECHO);
    expect([...telnet.encode(Uint8Array.from([...text("a\r"), 255]))]).toEqual([
      ...text("a\r\0"),
      IAC,
      IAC,
    ]);
    expect([...telnet.encode(Uint8Array.from(text("b\r\n")))]).toEqual(text("b\r\n"));
  });

  test("leaves carriage returns alone once both sides are binary", () => {
    const telnet = new TelnetProtocol();
    says(telnet, IAC, DO, BINARY, IAC, WILL, BINARY);
    expect([...telnet.encode(Uint8Array.from(text("a\r")))]).toEqual(text("a\r"));
    expect(says(telnet, ...text("a\r\0b")).data).toEqual(text("a\r\0b"));
  });

  test("changes nothing at a port that doesn't speak telnet", () => {
    const telnet = new TelnetProtocol();
    expect(says(telnet, ...text("=> \r\0")).data).toEqual(text("=> \r\0"));
    expect([...telnet.encode(Uint8Array.from([13, 255]))]).toEqual([13, 255]);
  });

  test("keeps nothing of a subnegotiation that never ends", () => {
    const telnet = new TelnetProtocol();
    says(telnet, IAC, SB, COM_PORT);
    for (let n = 0; n < 100; n++) {
      expect(telnet.decode(Buffer.alloc(64 * 1024, "x")).data).toHaveLength(0);
    }
    expect(says(telnet, IAC, SE, ...text("alive")).data).toEqual(text("alive"));
  });
});
