/** A block that is only shown: what it is, and which test looks at it, by a text of that test; or why none can. */
export interface Shown {
  readonly page: string;
  readonly has: string;
  readonly by?: readonly [file: string, has: string];
  readonly because?: string;
}

const HERE = "test/docs/lab-blocks.test.ts";

export const SHOWN_BLOCKS: readonly Shown[] = [
  {
    page: "docs/artefact-cache.md",
    has: "unchanged since it was cached",
    by: ["test/cache/download-cache.test.ts", "unchanged since it was cached"],
  },
  { page: "docs/design.md", has: "lavacli, CI, browser", because: "a drawing" },
  {
    page: "docs/events.md",
    has: "event: job",
    by: ["test/http/events.test.ts", "text/event-stream"],
  },
  { page: "docs/http-api.md", has: '"chunks"', by: [HERE, "the manifest of a log has these keys"] },
  { page: "docs/job-language.md", has: "job.yaml:12:7", by: [HERE, "the complaints about a job"] },
  { page: "docs/job-language.md", has: "yaml.schemas", because: "an editor's own settings" },
  {
    page: "docs/journal.md",
    has: "LAVA_JOURNAL HOLDS",
    by: ["test/actions/test/journal-files.test.ts", "<LAVA_JOURNAL HOLDS>"],
  },
  {
    page: "docs/network.md",
    has: "not valid yet: this machine's clock says 1970-01-01T00:",
    by: [
      "test/host/network/connections.test.ts",
      "not valid yet: this machine's clock says 1970-01-01T00:",
    ],
  },
  { page: "docs/notices.md", has: "status_string", by: [HERE, "a callback has these fields"] },
  {
    page: "docs/power.md",
    has: "DRIVER ADDRESS OUTLET on|off|cycle|status [--delay SECONDS]",
    by: ["docs/cli.md", "DRIVER ADDRESS OUTLET on|off|cycle|status [--delay SECONDS]"],
  },
  { page: "docs/running-a-lab.md", has: "[Service]", because: "a unit of the lab's machine" },
  { page: "docs/services.md", has: "[Service]", because: "a unit of the worker's machine" },
  { page: "docs/services.md", has: "/etc/exports", because: "a file of the kernel's NFS server" },
  {
    page: "docs/stock-workers.md",
    has: "coordinator_hostname",
    by: ["test/compat/stock-groups.compat.test.ts", "coordinator"],
  },
  { page: "docs/lava-clients.md", has: "xmlrpc.client", by: [HERE, "Python submits a job"] },
  { page: "docs/notices.md", has: "hmac.new", by: [HERE, "Python checks a webhook"] },
];
