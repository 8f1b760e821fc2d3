/** What Pumice's runner can do today. Every new method in worker/actions gets its word here. */
export const SUPPORTED_METHODS = {
  /** `deploy: to` → the device's deploy method that it needs (JOB.md 5.2). */
  deploy: { tmpfs: "image" },
  /** `boot: method` → the device's boot method that it needs (JOB.md 6). */
  boot: { qemu: "qemu" },
  test: ["definitions"],
} as const;
