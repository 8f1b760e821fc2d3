/** The engine's service did not do it in time (throttled, down): nothing is known to be wrong, the caller may try again. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}
