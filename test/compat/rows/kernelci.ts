import type { Row } from "../row.ts";

const works = (name: string, about = ""): Row => ({
  ...{ surface: "KernelCI", state: "works", name, about },
});

/** What KernelCI's pipeline asks of a lab, and expects to be told ([kernelci.md](kernelci.md)). */
export const KERNELCI_ROWS: readonly Row[] = [
  works("submission by REST"),
  works("polling until Finished"),
  works("length of a queue, devices by type"),
  works("callback with dataset: all", "results, log and definition in JSON"),
  works("callback token by name", "a secret of the submitter's; sent as it is in `Authorization`"),
  works("error_type in suite lava", "Infrastructure, Job, Test, Canceled ..."),
];
