import { afterEach, beforeEach, expect, test } from "vitest";
import {
  addPhoto,
  listPhotos,
  readPhoto,
  removePhoto,
  typeOfPhoto,
} from "../../control-plane/domain/device-photos.ts";
import { removeDevice } from "../../control-plane/domain/devices.ts";
import { photoBlob } from "../../control-plane/domain/blob-names.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const JPEG = [0xff, 0xd8, 0xff, 0xe0];
const WEBP = [...Buffer.from("RIFF"), 0, 0, 0, 0, ...Buffer.from("WEBPVP8 ")];
const image = (kind: number[], more = ""): Uint8Array =>
  Buffer.concat([Buffer.from(kind), Buffer.from(more)]);

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
  await lab.addWorker();
  await lab.addDevice("qemu-01");
});
afterEach(() => lab.close());
const add = (bytes: Uint8Array, caption = "") =>
  addPhoto(lab.deps, lab.admin, "qemu-01", { bytes, caption });

test("a photo is what its first bytes say, whatever its name", () => {
  expect([PNG, JPEG, WEBP].map((kind) => typeOfPhoto(image(kind)))).toEqual([
    ...["image/png", "image/jpeg", "image/webp"],
  ]);
  for (const text of ["", "GIF89a", "<svg xmlns='http://www.w3.org/2000/svg'/>", "RIFF0000WAVE"]) {
    expect(typeOfPhoto(Buffer.from(text))).toBeUndefined();
  }
});

test("a photo is kept with its caption, and who added it stands in the device's history", async () => {
  const bytes = image(JPEG, "cabling");
  const { id } = await add(bytes, "the red one");
  const { photo, bytes: read } = await readPhoto(lab.deps, lab.admin, "qemu-01", id);
  expect(Buffer.from(read)).toEqual(bytes);
  expect(photo).toMatchObject({ media_type: "image/jpeg", caption: "the red one", user: "admin" });
  const history = await lab.api<{ changes: object[] }>("/devices/qemu-01/history?limit=1");
  expect(history.changes[0]).toMatchObject({ changed: { photo: [null, "the red one"] } });
});

test("the same photo is there once; a sixth is refused, and so is what is no image", async () => {
  await add(image(PNG, "1"));
  await add(image(PNG, "1"));
  for (const n of [2, 3, 4, 5]) await add(image(PNG, String(n)));
  expect((await listPhotos(lab.deps, lab.admin, "qemu-01")).photos).toHaveLength(5);
  await expect(add(image(PNG, "6"))).rejects.toMatchObject({ code: "conflict" });
  await expect(add(Buffer.from("<svg/>"))).rejects.toMatchObject({ code: "invalid" });
});

test("photos that are added at the same time are all there", async () => {
  await Promise.all([1, 2, 3].map((n) => add(image(PNG, String(n)))));
  expect((await listPhotos(lab.deps, lab.admin, "qemu-01")).photos).toHaveLength(3);
});

test("a photo goes when it is removed, and all of them with their device", async () => {
  const [first, second] = [await add(image(PNG, "1")), await add(image(PNG, "2"))];
  await removePhoto(lab.deps, lab.admin, "qemu-01", first.id);
  const isThere = async (id: string) =>
    (await lab.deps.blobs.sizeBytes(photoBlob("qemu-01", id))) !== undefined;
  expect([await isThere(first.id), await isThere(second.id)]).toEqual([false, true]);
  await removeDevice(lab.deps, lab.admin, "qemu-01");
  expect(await isThere(second.id)).toBe(false);
  await lab.addDevice("qemu-01");
  expect((await listPhotos(lab.deps, lab.admin, "qemu-01")).photos).toEqual([]);
});

test("a browser is told to do nothing with a photo but to show it", async () => {
  const { id } = await add(image(WEBP));
  const answer = await lab.request(`/devices/qemu-01/photos/${id}`);
  expect(answer.headers.get("content-type")).toBe("image/webp");
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  expect(answer.headers.get("content-security-policy")).toBe("default-src 'none'; sandbox");
});

test("a photo that is too large is refused before it is read", async () => {
  const answer = await lab.request("/devices/qemu-01/photos", {
    method: "POST",
    body: Buffer.alloc(4_000_001).toString("latin1"),
  });
  expect(answer.status).toBe(413);
});

test("a person who may only see a device sees its photos and changes none", async () => {
  const { id } = await add(image(PNG));
  const { principal: stranger } = await lab.addStranger("eve");
  await expect(readPhoto(lab.deps, stranger, "qemu-01", id)).rejects.toMatchObject({
    code: "not_found",
  });
  const { principal } = await lab.addUser("alice");
  expect((await listPhotos(lab.deps, principal, "qemu-01")).photos).toHaveLength(1);
  await expect(removePhoto(lab.deps, principal, "qemu-01", id)).rejects.toMatchObject({
    code: "forbidden",
  });
});
