import { accessSync, constants } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { dispatcherIp, inUrl } from "../host/dispatcher-ip.ts";
import { isWithin, kernelExports } from "../services/nfs-root.ts";
import { servicePort, servicesAddress } from "../services/services-address.ts";
import { tftpGet, TftpError } from "../services/tftp-client.ts";
import { startTftpServer } from "../services/tftp-server.ts";
import type { Finding } from "./finding.ts";
import { allMethods, type CheckedDevice } from "./checked-device.ts";

type Settings = Readonly<Record<string, unknown>>;

/** What serves files to DUTs, as far as these devices want it; all of it when the devices aren't known. */
export async function servicesFindings(
  settings: Settings,
  devices: readonly CheckedDevice[] | undefined,
): Promise<Finding[]> {
  const methods = devices && allMethods(devices);
  const wants = (...names: string[]): boolean =>
    methods === undefined || names.some((name) => methods.has(name));
  return [
    addressFinding(settings),
    await httpFinding(settings),
    ...(wants("tftp", "nbd", "nfs") ? [await tftpFinding(settings)] : []),
    ...(wants("nfs") ? [nfsFinding(settings)] : []),
  ];
}

function addressFinding(settings: Settings): Finding {
  const ip = dispatcherIp(settings);
  try {
    const address = servicesAddress(settings);
    const isOnlyLoopback = [address, ip].some((one) => one === "::1" || one.startsWith("127."));
    if (!isOnlyLoopback) {
      return {
        state: "ok",
        what: "address",
        text: `DUTs reach this worker at ${ip}, it listens on ${address}`,
      };
    }
    const others = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    const hint = others.find(({ internal, family }) => !internal && family === "IPv4")?.address;
    return {
      state: "note",
      what: "address",
      text: `${address} is reached by virtual DUTs only: set dispatcher_ip${hint ? `, perhaps to ${hint}` : ""}`,
    };
  } catch (error) {
    return { state: "missing", what: "address", text: (error as Error).message };
  }
}

async function httpFinding(settings: Settings): Promise<Finding> {
  const what = "http files";
  try {
    const host = servicesAddress(settings);
    const port = servicePort(settings, "http_port", 0);
    await new Promise<void>((resolve, reject) => {
      const server = createServer();
      server.once("error", reject);
      server.listen({ host, port }, () => server.close(() => resolve()));
    });
    return { state: "ok", what, text: `${host}, ${port === 0 ? "any free port" : `port ${port}`}` };
  } catch (error) {
    return { state: "missing", what, text: `${(error as Error).message}: see http_port` };
  }
}

async function tftpFinding(settings: Settings): Promise<Finding> {
  const what = "tftp";
  const folder = settings["tftp_dir"];
  if (typeof folder === "string" && folder !== "") {
    try {
      accessSync(folder, constants.W_OK);
      return { state: "ok", what, text: `files are put into ${folder}, for the system's server` };
    } catch {
      const text = `tftp_dir ${folder} isn't there or may not be written to by this user`;
      return { state: "missing", what, text };
    }
  }
  try {
    const address = servicesAddress(settings);
    const port = servicePort(settings, "tftp_port", 69);
    return await tftpPort(address, port);
  } catch (error) {
    return { state: "missing", what, text: (error as Error).message };
  }
}

async function tftpPort(address: string, port: number): Promise<Finding> {
  const what = "tftp";
  const at = `${inUrl(address)}:${port}`;
  try {
    await (await startTftpServer({ address, port, root: "/" })).close();
    return { state: "ok", what, text: `${at} is free for the worker's own server` };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EACCES") {
      const text = `${at}: ports below 1024 need CAP_NET_BIND_SERVICE (AmbientCapabilities in the unit), or set tftp_dir`;
      return { state: "missing", what, text };
    }
    if (code !== "EADDRINUSE") return { state: "missing", what, text: `${at}: ${message}` };
  }
  const host = address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address;
  const said = await tftpGet({ address: host, port }, "pumice-doctor").catch(
    (error: unknown) => error,
  );
  if (said instanceof TftpError && said.code !== undefined) {
    const text = `a server answers on ${at}: fine if it is this worker's agent, else set tftp_dir to its folder`;
    return { state: "ok", what, text };
  }
  return { state: "missing", what, text: `${at} is taken by something that doesn't speak TFTP` };
}

function nfsFinding(settings: Settings): Finding {
  const what = "nfs";
  const root = settings["nfs_root"];
  if (typeof root !== "string" || root === "") {
    return { state: "note", what, text: "nfs_root is not set: no root file systems over NFS" };
  }
  try {
    accessSync(root, constants.W_OK);
  } catch {
    return { state: "missing", what, text: `nfs_root ${root} may not be written to by this user` };
  }
  const exports = kernelExports();
  if (!exports) {
    const text = `${root}: no kernel NFS server here (/var/lib/nfs/etab): make sure that the one you use exports it rw, no_root_squash`;
    return { state: "note", what, text };
  }
  const found = exports.find(({ folder }) => isWithin(root, folder));
  if (!found) {
    const text = `${root} is not exported: add "${root} *(rw,no_root_squash,no_subtree_check)" to /etc/exports and run exportfs -ra`;
    return { state: "missing", what, text };
  }
  const lacking = ["rw", "no_root_squash"].filter((option) => !found.options.includes(option));
  if (lacking.length === 0) return { state: "ok", what, text: `${root} is exported` };
  const text = `${found.folder} is exported without ${lacking.join(" and ")}: DUTs could not use it as their root`;
  return { state: "missing", what, text };
}
