import { MAX_PHOTOS, type PhotoView } from "#protocol/device-photos.ts";

interface PhotosProps {
  hostname: string;
  photos: readonly PhotoView[];
  /** Whether who looks at it may add and remove some. */
  isEditable: boolean;
}

/** Photos of a device and its cabling; client/device-page.ts adds and removes them. */
export function DevicePhotos({ hostname, photos, isEditable }: PhotosProps) {
  if (photos.length === 0 && !isEditable) return null;
  const where = `/api/v1/devices/${encodeURIComponent(hostname)}/photos`;
  return (
    <section id="photos" data-photos={where}>
      <h2>Photos</h2>
      <div class="photos">
        {photos.map(({ id, caption, user, added }) => (
          <figure>
            <a href={`${where}/${id}`}>
              <img src={`${where}/${id}`} alt={caption || `Photo of ${hostname}`} loading="lazy" />
            </a>
            <figcaption>
              {caption} <small>{`${user}, ${added.slice(0, 10)}`}</small>
              {isEditable && (
                <button class="quiet" data-remove={id}>
                  Remove
                </button>
              )}
            </figcaption>
          </figure>
        ))}
      </div>
      {isEditable && photos.length < MAX_PHOTOS && (
        <form id="photo-form" class="filters">
          <label>
            Photo
            <input type="file" name="photo" accept="image/png,image/jpeg,image/webp" required />
          </label>
          <label>
            What it shows
            <input name="caption" maxlength={200} autocomplete="off" />
          </label>
          <button>Add the photo</button>
        </form>
      )}
      <p id="photo-trouble" class="notice bad" role="alert" hidden></p>
    </section>
  );
}
