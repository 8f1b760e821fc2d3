import type { WebFile, WebRequest } from "../host/web-file.ts";
import type { WantedSums } from "../host/download-source.ts";

type Asked = Pick<WebRequest, "url" | "headers">;

/** A job that asks for a part of a file, or under conditions, gets what the server makes of that. */
export const mayBeCached = ({ headers = {} }: Asked): boolean =>
  !Object.keys(headers).some((name) => /^(range|if-.*)$/i.test(name));

/**
 * Whether an answer may be kept (RFC 9111 3): not when its server says no; `private` is for whoever has the job's headers
 * or password; and only what can be recognised later, by its validator or the job's checksum.
 */
export function mayBeStored(
  { headers, validator }: WebFile,
  request: Asked & { readonly wanted: WantedSums },
): boolean {
  const control = headers["cache-control"] ?? "";
  if (/\bno-store\b/i.test(control) || headers.vary?.trim() === "*") return false;
  if (/\bprivate\b/i.test(control) && !hasSecrets(request)) return false;
  return Object.keys(validator).length > 0 || Object.values(request.wanted).some(Boolean);
}

/** Whether it may be given to a job that knows its checksum, under another URL or without its headers. */
export const isOpenTo = (request: Asked, { headers }: WebFile): boolean =>
  !hasSecrets(request) &&
  new URL(request.url).search === "" &&
  !/\bprivate\b/i.test(headers["cache-control"] ?? "");

function hasSecrets({ url, headers = {} }: Asked): boolean {
  const { username, password } = new URL(url);
  return username !== "" || password !== "" || Object.keys(headers).length > 0;
}

/** A URL as people may see it: its query and password are often a key. */
export function shownUrl(url: string): string {
  const shown = new URL(url);
  if (shown.username !== "" || shown.password !== "") shown.username = shown.password = "";
  if (shown.search !== "") shown.search = "?...";
  shown.hash = "";
  return shown.href.slice(0, 500);
}
