import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { PhotoList } from "#protocol/device-photos.ts";
import { cli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";

type Listening = Awaited<ReturnType<typeof listeningLab>>;
const PNG = Buffer.from("89504e470d0a1a0a0000", "hex");

let lab: Listening;
let dir: string;
let file: string;
const pumice = (at: Listening, ...args: string[]) =>
  cli(args, { PUMICE_URL: at.url, PUMICE_TOKEN: at.adminToken });

beforeEach(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-photos-"));
  file = path.join(dir, "cabling.png");
  writeFileSync(file, PNG);
  lab = await listeningLab();
  await lab.addWorker("bench");
  await lab.addDevice("qemu-01");
});
afterEach(async () => {
  await lab.close();
  rmSync(dir, { recursive: true, force: true });
});

test("devices photos add, list and remove keep a device's photos", async () => {
  const added = await pumice(lab, "devices", "photos", "add", "qemu-01", file, "--caption", "red");
  const id = /^qemu-01 has photo ([0-9a-f]{12})\n$/.exec(added.said)?.[1] ?? "";
  expect(id).not.toBe("");
  expect((await pumice(lab, "devices", "photos", "list", "qemu-01")).out).toMatch(
    new RegExp(`${id} +image/png +10 .* admin +red`),
  );
  const removed = await pumice(lab, "devices", "photos", "remove", "qemu-01", id);
  expect(removed).toMatchObject({ code: 0, said: `photo ${id} of qemu-01 is removed\n` });
  const again = await pumice(lab, "devices", "photos", "remove", "qemu-01", id);
  expect(again).toMatchObject({ code: 2 });
  expect(again.said).toContain("no photo of it is");
});

test("devices photos add refuses what is no image", async () => {
  writeFileSync(file, "<svg/>");
  const refused = await pumice(lab, "devices", "photos", "add", "qemu-01", file);
  expect(refused).toMatchObject({ code: 2 });
  expect(refused.said).toContain("a photo is a PNG, JPEG or WebP image");
});

test("photos are in a backup, and in the lab that it is restored to", async () => {
  await pumice(lab, "devices", "photos", "add", "qemu-01", file, "--caption", "red");
  const backup = path.join(dir, "backup");
  expect((await pumice(lab, "export", backup, "--all")).code).toBe(0);
  const other = await listeningLab();
  try {
    expect((await pumice(other, "import", backup)).code).toBe(0);
    const { photos } = await other.api<PhotoList>("/devices/qemu-01/photos");
    expect(photos).toMatchObject([{ caption: "red", user: "admin" }]);
    const photo = await other.request(`/devices/qemu-01/photos/${photos[0]!.id}`);
    expect(Buffer.from(await photo.arrayBuffer())).toEqual(PNG);
  } finally {
    await other.close();
  }
});
