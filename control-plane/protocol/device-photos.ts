import * as v from "valibot";

/** Photos of a device and its cabling: `/api/v1/devices/HOST/photos` */

export const MAX_PHOTOS = 5;
/** What fits into one request of a function of the cloud, which gets it as base64. */
export const MAX_PHOTO_BYTES = 4_000_000;

export const photoTypeSchema = v.picklist(["image/png", "image/jpeg", "image/webp"]);
export type PhotoType = v.InferOutput<typeof photoTypeSchema>;

/** Of its content: the same photo has the same one. */
export const photoIdSchema = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{64}$/, "expected the id of a photo"),
);

/** `GET .../photos/ID` answers its bytes. */
export const photoViewSchema = v.object({
  id: photoIdSchema,
  media_type: photoTypeSchema,
  bytes: v.number(),
  caption: v.string(),
  added: v.string(),
  /** Who added it. */
  user: v.string(),
});
export type PhotoView = v.InferOutput<typeof photoViewSchema>;
export const photoListSchema = v.object({ photos: v.array(photoViewSchema) });
export type PhotoList = v.InferOutput<typeof photoListSchema>;

/** `POST .../photos?caption=`: the body is the photo; 201 with its view. */
export const photoQuerySchema = v.object({
  caption: v.optional(v.pipe(v.string(), v.maxLength(200)), ""),
});
