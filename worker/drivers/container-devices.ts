import { readdirSync, realpathSync, statSync, type Stats } from "node:fs";
import path from "node:path";
import { listOfTexts } from "../host/list-of-texts.ts";
import type { JobContext } from "../pipeline/action.ts";
import { JobFailure } from "../pipeline/job-failure.ts";

/** By these, disks and memory of the worker can be reached past its file systems. */
const RAW =
  /^\/dev\/(?:mem|kmem|port|nvram|sg\d+|bsg\/.*|nvme\d+|ng\d+n\d+|mapper\/control|loop-control|cpu\/.*|snapshot|vfio\/.*|uinput|uhid)$/;
const MOST_NODES = 2000;

/**
 * A device of the worker that a job's `docker:` block has asked for, as the client takes it (`/dev/ttyUSB0:/dev/tty:rw`). Who has a
 * disk of the worker in a container of their own has the worker: so disks and memory, and folders in which one is, are refused
 * unless the worker's setting `container_devices` has them.
 *
 * @throws JobFailure Job.
 */
export function checkContainerDevice({ dispatcher }: JobContext, device: string): string {
  if (!/^\/dev\/[\w./:+-]+$/.test(device) || device.split("/").includes("..")) {
    throw new JobFailure("Job", `docker.devices: '${device}': expected a path below /dev`);
  }
  const [node = ""] = device.split(":");
  if (listOfTexts(dispatcher["container_devices"]).includes(node)) return device;
  const raw = nodesOf(node).find(isRaw);
  if (raw === undefined) return device;
  throw new JobFailure(
    "Job",
    `docker.devices: '${device}': ${raw} is a disk or memory of the worker; its setting container_devices allows it`,
  );
}

/** The node itself, or all in the folder; of a link what it leads to. None when it isn't there: the client says so. */
function nodesOf(node: string): string[] {
  const stats = statOf(node);
  if (!stats) return [path.normalize(node)];
  if (!stats.isDirectory()) return realOf(node);
  const names = readdirSync(node, { recursive: true, encoding: "utf8" });
  if (names.length > MOST_NODES) {
    const message = `docker.devices: '${node}' has more than ${MOST_NODES} files: name the devices`;
    throw new JobFailure("Job", message);
  }
  return names.flatMap((name) => {
    const file = path.join(node, name);
    return statOf(file)?.isDirectory() === false ? realOf(file) : [];
  });
}

const isRaw = (node: string): boolean => RAW.test(node) || statOf(node)?.isBlockDevice() === true;

/** None when it has just gone. */
function realOf(node: string): string[] {
  try {
    return [realpathSync(node)];
  } catch {
    return [];
  }
}

function statOf(file: string): Stats | undefined {
  try {
    return statSync(file);
  } catch {
    return undefined;
  }
}
