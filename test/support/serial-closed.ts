// Run by Bun: writes more to the serial port DEVICE than it takes, closes it, and opens FILE, which gets the port's number.
// Prints how the write ended.
import { openSync } from "node:fs";
import { bunSerialPort } from "../../worker/drivers/bun-serial.ts";

const [device = "", file = ""] = process.argv.slice(2);
const port = await bunSerialPort({
  kind: "serial",
  path: device,
  baudRate: 115_200,
  dataBits: 8,
  parity: "none",
  stopBits: 1,
  flow: "none",
});
const written = port.write(Buffer.alloc(4 * 1024 * 1024)).then(
  () => "written",
  (error: Error) => error.message,
);
await port.close();
openSync(file, "w");
process.stdout.write(`${await written}\n`, () => process.exit());
