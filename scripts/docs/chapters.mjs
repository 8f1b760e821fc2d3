// The chapters of the documentation site, in reading order. Each page of docs/ stands in one of them: a test sees to it.

/** @type {readonly {title: string, pages: readonly string[]}[]} Pages by their path in docs/, without `.md`. */
export const CHAPTERS = [
  { title: "Start", pages: ["README", "first-job", "concepts"] },
  {
    title: "Jobs and tests",
    pages: [
      "writing-jobs",
      "writing-tests",
      "job-language",
      "multinode",
      "failures",
      "results",
      "queue",
      "remote-console",
      "notices",
      "events",
      "kernelci",
    ],
  },
  {
    title: "Devices",
    pages: [
      "add-a-qemu-device",
      "add-a-uboot-device",
      "add-a-fastboot-device",
      "devices",
      "templates",
      "connections",
      "power",
      "services",
      "bootloaders",
      "workers-and-devices",
    ],
  },
  {
    title: "Run a lab",
    pages: [
      "running-a-lab",
      "cloud",
      "containers",
      "settings",
      "lab-as-code",
      "people",
      "sign-in",
      "tokens",
      "scheduling",
    ],
  },
  {
    title: "Workers",
    pages: [
      "install",
      "single-file",
      "small-boards",
      "network",
      "artefact-cache",
      "upgrades",
      "worker-faults",
    ],
  },
  {
    title: "Operations",
    pages: ["operations", "releases", "security", "threat-model", "backup", "figures"],
  },
  {
    title: "Coming from LAVA",
    pages: [
      "moving-from-lava",
      "differences",
      "lava-clients",
      "stock-workers",
      "lava-server",
      "compatibility",
    ],
  },
  { title: "Reference", pages: ["api", "http-api", "cli", "methods/README", "access"] },
  {
    title: "How it works",
    pages: ["design", "console", "journal", "noise", "kernel-messages", "roadmap"],
  },
];

/** What a page is called in the list of chapters, where its heading is long. */
export const SHORT_NAMES = {
  README: "Overview",
  "job-language": "The job language",
  multinode: "Several devices",
  failures: "Whose fault it is",
  queue: "The queue",
  "remote-console": "Remote console",
  notices: "Notices and webhooks",
  kernelci: "KernelCI",
  services: "TFTP, NFS, HTTP, NBD",
  "add-a-qemu-device": "Add a QEMU device",
  "add-a-uboot-device": "Add a U-Boot device",
  "add-a-fastboot-device": "Add a fastboot device",
  "workers-and-devices": "Administering them",
  cloud: "In AWS",
  containers: "In containers",
  settings: "Settings",
  "lab-as-code": "A lab as files",
  people: "People and permissions",
  scheduling: "Scheduling",
  install: "Install a worker",
  "single-file": "The single file",
  network: "Proxies, certificates",
  "small-boards": "Small boards",
  "artefact-cache": "Download cache",
  "worker-faults": "When things break",
  backup: "Backup and restore",
  differences: "What differs",
  "lava-clients": "LAVA's clients",
  "stock-workers": "LAVA's workers",
  "lava-server": "Our worker, LAVA's server",
  compatibility: "Compatibility, by call",
  "http-api": "Using the API",
  cli: "Command line",
  "methods/README": "Methods",
  access: "Who may what",
  console: "The console",
  journal: "The journal",
  "kernel-messages": "Kernel messages",
  roadmap: "Roadmap",
};

/** Where a page stands in the site: `/docs`, `/docs/power`, `/docs/methods/boot-qemu`. */
export const addressOf = (page) =>
  `/docs/${page}`.replace(/(^|\/)README$/, "").replace(/\/$/, "") || "/docs";

/** The pages before and after this one in reading order; a method's page has none. */
export function neighboursOf(page) {
  const all = CHAPTERS.flatMap(({ pages }) => pages);
  const at = all.indexOf(page);
  return at < 0 ? {} : { before: all[at - 1], after: all[at + 1] };
}
