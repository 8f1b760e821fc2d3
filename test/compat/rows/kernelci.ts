import type { Row } from "../row.ts";

const here = {
  surface: "KernelCI",
  state: "works",
  test: "test/compat/kernelci.compat.test.ts",
} as const;

/** What KernelCI's pipeline asks of a lab, and expects to be told ([kernelci.md](kernelci.md)). */
export const KERNELCI_ROWS: readonly Row[] = [
  { ...here, name: "submission by REST", about: "", called: "submits a job" },
  { ...here, name: "polling until Finished", about: "", called: '"wait"' },
  { ...here, name: "length of a queue, devices by type", about: "", called: '"queue"' },
  {
    ...here,
    ...{ name: "callback with `dataset: all`", called: "dataset: all" },
    about: "results, log and definition in JSON",
  },
  {
    ...here,
    ...{ name: "callback token by name", called: "token: kernelci-callback" },
    about: "a secret of the submitter's; sent as it is in `Authorization`",
  },
  {
    ...here,
    ...{ name: "`error_type` in suite `lava`", called: "error_code" },
    about: "Infrastructure, Job, Test, Canceled ...",
  },
];
