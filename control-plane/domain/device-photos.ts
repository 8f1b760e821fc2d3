import {
  MAX_PHOTOS,
  MAX_PHOTO_BYTES,
  type PhotoList,
  type PhotoType,
  type PhotoView,
} from "#protocol/device-photos.ts";
import type { Item, Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { changeItem } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { devicePhotosKey } from "./keys.ts";
import { photoBlob } from "./blob-names.ts";
import { requireUser, type Principal } from "./principal.ts";
import { retrying } from "./retrying.ts";
import { getChangeableDevice, getVisibleDevice } from "./visible.ts";

/** All photos of a device, the oldest first. */
export interface PhotosRecord {
  hostname: string;
  photos: PhotoView[];
}

/**
 * Adds a photo to a device, for who may change it; one that is there already stays as it is. What it is its first bytes say, nobody
 * else. Throws `not_found`, `forbidden`, `invalid` for what is no image, `too_large`, and `conflict` when there are five.
 */
export async function addPhoto(
  deps: Deps,
  principal: Principal,
  hostname: string,
  { bytes, caption }: { bytes: Uint8Array; caption: string },
): Promise<PhotoView> {
  const user = requireUser(principal);
  await getChangeableDevice(deps, user, hostname);
  const media_type = typeOfPhoto(bytes);
  if (!media_type) {
    throw new AppError("invalid", "a photo is a PNG, JPEG or WebP image; this is none of them");
  }
  if (bytes.length > MAX_PHOTO_BYTES) {
    throw new AppError("too_large", `a photo has ${MAX_PHOTO_BYTES} bytes at the most`);
  }
  const id = deps.system.hash(bytes);
  const added = new Date(deps.system.now()).toISOString();
  const photo = { id, media_type, bytes: bytes.length, caption, added, user: user.name };
  await requireRoom(deps, hostname, id);
  await deps.blobs.put(photoBlob(hostname, id), bytes);
  return retrying(async () => {
    const device = await getChangeableDevice(deps, user, hostname);
    const old = await requireRoom(deps, hostname, id);
    const before = old?.data.photos ?? [];
    const there = before.find((one) => one.id === id);
    if (there) return there;
    await deps.table.transact([
      // It may have been removed meanwhile, and its photos with it.
      { check: device.key, when: { version: device.version } },
      replacing(old, { hostname, photos: [...before, photo] }),
      noted(deps, hostname, user.name, [null, nameOf(photo)]),
    ]);
    return photo;
  });
}

/** A device's photos, for who may see it. */
export async function listPhotos(
  deps: Deps,
  principal: Principal,
  hostname: string,
): Promise<PhotoList> {
  await getVisibleDevice(deps, principal, hostname);
  return { photos: (await findPhotos(deps, hostname))?.data.photos ?? [] };
}

/** One photo's bytes, and what they are. Throws `not_found`. */
export async function readPhoto(
  deps: Deps,
  principal: Principal,
  hostname: string,
  id: string,
): Promise<{ photo: PhotoView; bytes: Uint8Array }> {
  const { photos } = await listPhotos(deps, principal, hostname);
  const photo = photos.find((one) => one.id === id);
  const bytes = photo && (await deps.blobs.get(photoBlob(hostname, id)));
  if (!bytes) throw noPhoto(hostname);
  return { photo, bytes };
}

/** Removes a photo, for who may change the device. Throws `not_found`, `forbidden`. */
export async function removePhoto(
  deps: Deps,
  principal: Principal,
  hostname: string,
  id: string,
): Promise<void> {
  const user = requireUser(principal);
  await retrying(async () => {
    await getChangeableDevice(deps, user, hostname);
    const old = await findPhotos(deps, hostname);
    const photo = old?.data.photos.find((one) => one.id === id);
    if (!old || !photo) throw noPhoto(hostname);
    const photos = old.data.photos.filter((one) => one !== photo);
    await deps.table.transact([
      replacing(old, { hostname, photos }),
      noted(deps, hostname, user.name, [nameOf(photo), null]),
    ]);
  });
  await deps.blobs.remove(photoBlob(hostname, id));
}

/** What is to be written when a device is removed, and, once it is, `removeFiles`. */
export async function removalOfPhotos(
  deps: Deps,
  hostname: string,
): Promise<{ operations: Operation[]; removeFiles: () => Promise<void> }> {
  const old = await findPhotos(deps, hostname);
  const key = devicePhotosKey(hostname);
  return {
    operations: old
      ? [{ delete: key, when: { version: old.version } }]
      : [{ check: key, when: "absent" }],
    removeFiles: async () => {
      const photos = old?.data.photos ?? [];
      await Promise.all(photos.map(({ id }) => deps.blobs.remove(photoBlob(hostname, id))));
    },
  };
}

/** By its first bytes; undefined for what is none that is taken. */
export function typeOfPhoto(bytes: Uint8Array): PhotoType | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(16, bytes.length));
  const begins = (hex: string, at = 0): boolean =>
    head.subarray(at, at + hex.length / 2).toString("hex") === hex;
  if (begins("89504e470d0a1a0a")) return "image/png";
  if (begins("ffd8ff")) return "image/jpeg";
  if (begins("52494646") && begins("57454250", 8)) return "image/webp";
  return undefined;
}

const findPhotos = ({ table }: Deps, hostname: string): Promise<Item<PhotosRecord> | undefined> =>
  table.get<PhotosRecord>(devicePhotosKey(hostname));

async function requireRoom(deps: Deps, hostname: string, id: string) {
  const item = await findPhotos(deps, hostname);
  const photos = item?.data.photos ?? [];
  if (photos.length < MAX_PHOTOS || photos.some((one) => one.id === id)) return item;
  const message = `${hostname} has ${photos.length} photos, which is as many as there may be: remove one first`;
  throw new AppError("conflict", message);
}

const replacing = (old: Item<PhotosRecord> | undefined, data: PhotosRecord): Operation => ({
  put: { key: devicePhotosKey(data.hostname), data },
  when: old ? { version: old.version } : "absent",
});

const noted = (
  deps: Deps,
  name: string,
  who: string,
  photo: [string | null, string | null],
): Operation => ({
  put: changeItem(deps, { who, kind: "device", name, changed: { photo } }),
  when: "absent",
});

const nameOf = ({ id, caption }: PhotoView): string => caption || id.slice(0, 12);

const noPhoto = (hostname: string): AppError =>
  new AppError("not_found", `there is no such photo of ${hostname}`);
