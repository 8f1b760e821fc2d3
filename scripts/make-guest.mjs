// Prints the folder of a small guest for QEMU (kernel, initramfs, disk image), made from Debian's
// packages when it isn't there yet. Progress goes to stderr.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

if (process.features.typescript) {
  const { makeGuest } = await import("../test/beds/guest.ts");
  try {
    console.log(await makeGuest((line) => console.error(line)));
  } catch (error) {
    console.error(`make-guest: ${error.message}`);
    process.exitCode = 1;
  }
} else {
  // An older Node.js can't read TypeScript: the pinned one can.
  const pinned = new URL(`../node_modules/node-linux-${process.arch}/bin/node`, import.meta.url);
  const args = [fileURLToPath(import.meta.url)];
  const { status, error } = spawnSync(fileURLToPath(pinned), args, { stdio: "inherit" });
  if (error) console.error(`make-guest: needs Node.js 24: run npm ci first (${error.message})`);
  process.exitCode = status ?? 1;
}
