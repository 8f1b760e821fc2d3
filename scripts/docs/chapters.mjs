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
  { title: "Operations", pages: ["operations", "backup", "figures"] },
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

/** Where a page stands in the site: `/docs`, `/docs/power`, `/docs/methods/boot-qemu`. */
export const addressOf = (page) =>
  `/docs/${page}`.replace(/(^|\/)README$/, "").replace(/\/$/, "") || "/docs";

/** The pages before and after this one in reading order; a method's page has none. */
export function neighboursOf(page) {
  const all = CHAPTERS.flatMap(({ pages }) => pages);
  const at = all.indexOf(page);
  return at < 0 ? {} : { before: all[at - 1], after: all[at + 1] };
}
