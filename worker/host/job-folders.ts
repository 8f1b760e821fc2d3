import path from "node:path";

/**
 * Where `deploy: to: downloads` leaves its files: what `downloads://NAME` means, and `/lava-downloads` in containers
 * (DISPATCHER.md 11.1, TEST-SHELL.md 11).
 */
export const downloadsFolder = (scratch: string, namespace: string): string =>
  path.join(scratch, "downloads", namespace.replace(/[^\w.-]/g, "_").replace(/^\.+/, "_"));
