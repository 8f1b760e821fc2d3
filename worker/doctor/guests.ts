import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { wantedConfinement, whyUnconfined } from "../actions/boot/qemu-confined.ts";
import { bootParameters, methodsOf, type CheckedDevice } from "./checked-device.ts";
import { messageOf, note, ok, wrong, type Finding } from "./finding.ts";
import { isThere } from "./tools.ts";

const WHAT = "QEMU's rights";
const ADVICE =
  "it needs unshare and setpriv (util-linux) and user namespaces: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0; in a container leave to mount";

/** Whether guests of this worker see their job's files only; nothing where there is no QEMU. */
export async function guestFindings(
  devices: readonly CheckedDevice[] | undefined,
  dispatcher: Readonly<Record<string, unknown>>,
): Promise<Finding[]> {
  const program = programsOf(devices).find(isThere);
  if (program === undefined) return [];
  let folder: string | undefined;
  try {
    const wanted = wantedConfinement(dispatcher);
    if (wanted === "off") {
      return [
        note(WHAT, "a guest has all rights of the worker's user: the worker's settings say so"),
      ];
    }
    folder = mkdtempSync(path.join(tmpdir(), "pumice-doctor-"));
    const scratch = path.join(folder, "job");
    mkdirSync(scratch);
    const why = await whyUnconfined(program, scratch);
    if (why === undefined) return [ok(WHAT, "a guest sees its own job's files only")];
    const text = `a guest can't be confined: ${why}; ${ADVICE}`;
    return wanted === "required"
      ? [wrong(WHAT, `${text}. Its jobs are refused, as qemu_confinement requires`)]
      : [note(WHAT, `${text}. It has all rights of the worker's user`)];
  } catch (error) {
    return [wrong(WHAT, messageOf(error))];
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

function programsOf(devices: readonly CheckedDevice[] | undefined): string[] {
  if (!devices) return ["qemu-system-x86_64", "qemu-system-aarch64"];
  const guests = devices.filter((device) => methodsOf(device).has("qemu"));
  return guests.map((device) => {
    const { command } = bootParameters(device, "qemu");
    return typeof command === "string" && command !== "" ? command : "qemu-system-x86_64";
  });
}
