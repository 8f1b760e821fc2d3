import { createSocket } from "node:dgram";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { servicesFindings } from "../../worker/doctor/services.ts";
import { startTftpServer } from "../../worker/services/tftp-server.ts";

const finding = async (what: string, settings: Record<string, unknown>) => {
  const loopback = { dispatcher_ip: "127.0.0.1", tftp_port: 0 };
  const all = await servicesFindings({ ...loopback, ...settings }, undefined);
  return all.find((one) => one.what === what);
};

test("an address that isn't this machine's is missing, with the setting to change", async () => {
  expect(await finding("address", { dispatcher_ip: "192.0.2.1" })).toMatchObject({
    state: "missing",
    text: expect.stringContaining("set services_address") as unknown,
  });
});

test("a free port for TFTP is fine, one that a TFTP server has too, one that something else has is not", async () => {
  expect(await finding("tftp", {})).toMatchObject({ state: "ok" });
  const server = await startTftpServer({ address: "127.0.0.1", port: 0, root: tmpdir() });
  const answered = await finding("tftp", { tftp_port: server.port });
  await server.close();
  expect(answered).toMatchObject({
    state: "ok",
    text: expect.stringContaining("answers") as unknown,
  });
  const other = createSocket("udp4");
  await new Promise<void>((resolve) => other.bind(0, "127.0.0.1", resolve));
  const taken = await finding("tftp", { tftp_port: other.address().port });
  other.close();
  expect(taken).toMatchObject({ state: "missing" });
});

test("folders of system servers must be there and writable", async () => {
  expect(await finding("tftp", { tftp_dir: "/nonexistent" })).toMatchObject({ state: "missing" });
  expect(await finding("tftp", { tftp_dir: tmpdir() })).toMatchObject({ state: "ok" });
  expect(await finding("nfs", { nfs_root: "/nonexistent" })).toMatchObject({ state: "missing" });
  expect(await finding("nfs", {})).toMatchObject({ state: "note" });
});

test("what no device wants is not looked at", async () => {
  const device = (method: string) => ({
    hostname: "one",
    device_type: "x",
    is_busy: false,
    configuration: { actions: { deploy: { methods: { [method]: null } } } },
  });
  const seen = async (method: string): Promise<string[]> => {
    const findings = await servicesFindings({ dispatcher_ip: "127.0.0.1" }, [device(method)]);
    return findings.map(({ what }) => what);
  };
  expect(await seen("fastboot")).toEqual(["address", "http files"]);
  expect(await seen("tftp")).toEqual(["address", "http files", "tftp"]);
  expect(await seen("nfs")).toEqual(["address", "http files", "tftp", "nfs"]);
});
