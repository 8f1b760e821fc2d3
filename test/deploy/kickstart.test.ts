import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { JobAction } from "#protocol/job-actions.ts";
import { tftpDeploy } from "../../worker/actions/deploy/tftp.ts";
import type { RunContext } from "../../worker/pipeline/action.ts";
import { placeholdersSlot } from "../../worker/pipeline/job-slots.ts";
import type { BootStrategy } from "../../worker/pipeline/strategy.ts";
import { startTftpServer, type TftpServer } from "../../worker/services/tftp-server.ts";
import { startFileShelf, type FileShelf } from "../beds/file-shelf.ts";
import { standIn, useTools } from "../support/stand-in-tool.ts";
import { deployJob, runDeploy } from "./run-deploy.ts";

/*
 * CentOS's answers for its installer (a kickstart), as it would find them over TFTP; its %post is run by a real sh with a
 * real curl and tar, in a folder instead of the new system.
 */

const KICKSTART = `text
rootpw --plaintext lava
autopart
%packages
@core
%end
%pre
echo before
%end`;

let folder: string;
let shelf: FileShelf;
let tftp: TftpServer;
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-kickstart-"));
  for (const name of ["served", "system"]) mkdirSync(path.join(folder, name));
  writeFileSync(path.join(folder, "ks.cfg"), KICKSTART);
  execFileSync("sh", ["-c", "echo . | cpio --quiet -o -H newc | gzip > initrd.gz"], {
    cwd: folder,
  });
  const files = ["ks.cfg", "initrd.gz"].map((name) => [name, path.join(folder, name)] as const);
  shelf = await startFileShelf(Object.fromEntries(files));
  tftp = await startTftpServer({
    root: path.join(folder, "served"),
    address: "127.0.0.1",
    port: 0,
  });
});
afterEach(async () => {
  await tftp.close();
  await shelf.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a kickstart is completed so that the installed system fetches the overlay", async () => {
  const ran = await deployed(async (kickstart) => {
    expect(kickstart.startsWith(`${KICKSTART}\n`)).toBe(true);
    const sections = sectionsOf(kickstart);
    expect(sections.map(({ name }) => name)).toEqual(["%packages", "%pre", "%post"]);
    await runPost(sections.at(-1)?.text ?? "");
  });
  expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
  expect(existsSync(path.join(folder, "system/lava-7/bin/lava-test-runner"))).toBe(true);
});

/** Its sections, as the installer reads them: each ends before the next begins (pykickstart refuses any other). */
function sectionsOf(kickstart: string): { name: string; text: string }[] {
  const sections: { name: string; lines: string[] }[] = [];
  let isOpen = false;
  for (const line of kickstart.split("\n")) {
    const [name = ""] = /^%\w+/.exec(line) ?? [];
    if (name === "%end") {
      expect(isOpen, `%end of nothing in ${kickstart}`).toBe(true);
      isOpen = false;
    } else if (/^%(packages|pre|post)$/.test(name)) {
      expect(isOpen, `${name} within a section of ${kickstart}`).toBe(false);
      isOpen = true;
      sections.push({ name, lines: [] });
    } else if (isOpen) {
      sections.at(-1)?.lines.push(line);
    }
  }
  expect(isOpen).toBe(false);
  return sections.map(({ name, lines }) => ({ name, text: lines.join("\n") }));
}

/** Only where `/` is, is changed. */
async function runPost(script: string): Promise<void> {
  standIn(
    folder,
    "tar",
    `[ "$*" = "-C / -xz" ] || { echo "tar: unexpected $*" >&2; exit 2; }
exec /bin/tar -C ${folder}/system -xz`,
  );
  await useTools(folder, async () => {
    const shell = spawn("/bin/sh", ["-c", script], { stdio: "inherit" });
    expect(await once(shell, "exit")).toEqual([0, null]);
  });
}

async function deployed(look: (kickstart: string) => Promise<void>): ReturnType<typeof runDeploy> {
  const deploy = {
    to: "tftp",
    ramdisk: { url: `${shelf.url}initrd.gz`, compression: "gz" },
    preseed: { url: `${shelf.url}ks.cfg` },
    os: "centos_installer",
  };
  const repository = { metadata: { format: "x", name: "one" }, run: { steps: ["true"] } };
  const definitions = [{ from: "inline", name: "one", path: "one.yaml", repository }];
  const job = deployJob({
    actions: [{ deploy }, { boot: { method: "look" } }, { test: { definitions } }] as JobAction[],
  });
  const served = path.join(folder, "served");
  const looking: BootStrategy = {
    family: "boot",
    name: "look",
    refuses: () => undefined,
    action: () => ({
      name: "look",
      run: ({ slots }: RunContext) => {
        const { PRESEED_CONFIG = "" } = slots.take(placeholdersSlot);
        return look(readFileSync(path.join(served, PRESEED_CONFIG), "utf8"));
      },
    }),
  };
  const device = {
    ...job.device,
    actions: { deploy: { methods: { tftp: null } }, boot: { methods: {} } },
  } as unknown as typeof job.device;
  const dispatcher = { dispatcher_ip: "127.0.0.1", tftp_dir: served, tftp_port: tftp.port };
  try {
    return await runDeploy({ ...job, device, dispatcher }, [tftpDeploy, looking]);
  } finally {
    job.remove();
  }
}
