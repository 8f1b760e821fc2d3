/**
 * A value of XML-RPC: `null` is `<nil/>`, a whole number `<int>` (beyond 32 bits `<i8>`), another one `<double>`, bytes are `<base64>`
 * and a date is `<dateTime.iso8601>` in UTC and whole seconds. What is undefined in a struct is not there.
 */
export type XmlRpcValue =
  | null
  | boolean
  | number
  | string
  | Date
  | Uint8Array
  | readonly XmlRpcValue[]
  | XmlRpcStruct;
export type XmlRpcStruct = { readonly [name: string]: XmlRpcValue | undefined };

/** Most bytes of a request: a job definition in base64 or escaped, and what is around it. */
export const MAX_REQUEST_BYTES = 4 * 1024 * 1024;
/** Of whom nobody knows yet who they are. */
export const MAX_ANONYMOUS_BYTES = 64 * 1024;
/** How deep values may be in each other, and how many there may be. */
export const MAX_DEPTH = 32;
export const MAX_VALUES = 50_000;
