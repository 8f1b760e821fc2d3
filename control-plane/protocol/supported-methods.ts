/**
 * What Pumice's runner can do today, in a job's words. Every new method in worker/actions gets its word here; what it
 * needs of the device is in job-strategies.ts.
 */
export const SUPPORTED_METHODS = {
  deploy: ["tmpfs"],
  boot: ["qemu"],
  test: ["definitions"],
} as const;
