import "./list-page.ts";
import { ask, Refusal } from "./console-api.ts";
import { MAX_PHOTO_BYTES, type PhotoView } from "#protocol/device-photos.ts";

/** The page of a device: keeps itself fresh, adds and removes photos. */

/** A larger photo is sent as a JPEG of this many pixels a side. */
const SCALED_PIXELS = 2560;

const section = document.querySelector<HTMLElement>("#photos");
const form = document.querySelector<HTMLFormElement>("#photo-form");
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  void act(() => add(new FormData(form)));
});
section?.addEventListener("click", (event) => {
  const button = (event.target as Element).closest<HTMLElement>("[data-remove]");
  if (button) void act(() => ask("DELETE", `${photosPath()}/${button.dataset["remove"]}`));
});

async function add(fields: FormData): Promise<void> {
  const photo = fields.get("photo") as File;
  const caption = fields.get("caption") as string;
  const body = photo.size <= MAX_PHOTO_BYTES ? photo : await scaled(photo);
  const where = `${photosPath()}?${new URLSearchParams({ caption })}`;
  await ask<PhotoView>("POST", where, body);
}

async function scaled(photo: File): Promise<Blob> {
  const image = await createImageBitmap(photo);
  const factor = Math.min(1, SCALED_PIXELS / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(image.width * factor);
  canvas.height = Math.round(image.height * factor);
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    const done = (blob: Blob | null): void =>
      blob ? resolve(blob) : reject(new Refusal(400, "This is no image that can be shown"));
    canvas.toBlob(done, "image/jpeg", 0.85);
  });
}

async function act(what: () => Promise<unknown>): Promise<void> {
  try {
    await what();
    location.reload();
  } catch (error) {
    const trouble = document.querySelector<HTMLElement>("#photo-trouble");
    if (!trouble) return;
    trouble.textContent = error instanceof Error ? error.message : "";
    trouble.hidden = false;
  }
}

const photosPath = (): string => (section?.dataset["photos"] ?? "").replace(/^\/api\/v1/, "");
