// What the submit page offers to start from: jobs of the documentation, which the tests run.
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { JobTemplate } from "../control-plane/ui/job-templates.ts";

const docs = path.resolve(import.meta.dirname, "../docs");

/** In the order in which they are shown: a file of docs/examples, or the job on a page of docs/methods. */
export const TEMPLATES: readonly { source: string; title: string; about: string }[] = [
  {
    source: "examples/qemu-smoke.yaml",
    title: "QEMU: kernel and initramfs",
    about: "Boots a kernel in QEMU and runs inline tests in its shell",
  },
  {
    source: "examples/qemu-disk.yaml",
    title: "QEMU: disk image",
    about: "Boots a disk image; the tests are put into it",
  },
  {
    source: "methods/boot-u-boot.md",
    title: "U-Boot: kernel and ramdisk by TFTP",
    about: "A board that U-Boot boots from the network",
  },
  {
    source: "methods/boot-grub-efi.md",
    title: "GRUB: UEFI machine from the network",
    about: "A PC or server that GRUB boots",
  },
  {
    source: "methods/deploy-nfs.md",
    title: "Root file system over NFS",
    about: "A board whose root file system is on the worker",
  },
  {
    source: "methods/deploy-fastboot.md",
    title: "fastboot: flash images",
    about: "A phone or board that is flashed over USB, then tested",
  },
  {
    source: "methods/boot-ssh.md",
    title: "ssh: a system that runs already",
    about: "Runs tests in a machine that nothing is deployed to",
  },
  {
    source: "methods/test-docker.md",
    title: "Container beside the device",
    about: "Runs tests in a container on the worker, which drives the device",
  },
  {
    source: "methods/test-interactive.md",
    title: "Interactive: type and expect",
    about: "Commands at a prompt, such as a bootloader's, with the answers expected",
  },
  {
    source: "examples/qemu-multinode.yaml",
    title: "Multinode: two devices at once",
    about: "A server and a client that wait for each other",
  },
];

/** Their texts. Throws where a page has not exactly one job. */
export const jobTemplates = (): Promise<JobTemplate[]> =>
  Promise.all(
    TEMPLATES.map(async ({ source, title, about }) => {
      const text = await readFile(path.join(docs, source), "utf8");
      const name = path.basename(source).replace(/\.(yaml|md)$/, "");
      return { name, title, about, text: source.endsWith(".md") ? jobOf(text, source) : own(text) };
    }),
  );

/** The only YAML below the page's heading Job. */
function jobOf(page: string, source: string): string {
  const section = page.split(/^## /m).find((part) => part.startsWith("Job\n")) ?? "";
  const fences = [...section.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)];
  const [job = ""] = fences.map(([, text = ""]) => text);
  if (fences.length === 1) return job;
  throw new Error(`docs/${source}: expected one job below "## Job", found ${fences.length}`);
}

/** An example without the folder that scripts fill in: whoever starts from it has files of their own, and is told so. */
const own = (text: string): string =>
  text
    .replace(
      /^#.*@GUEST@.*\n/m,
      "# Put the addresses of your own files in the place of files.example.com's.\n",
    )
    .replaceAll("file://@GUEST@/", "http://files.example.com/");
