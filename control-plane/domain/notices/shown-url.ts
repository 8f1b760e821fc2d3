/** A URL as its log shows it: neither password nor query, which may have a secret in it. */
export function shownUrl(url: string): string {
  try {
    const { protocol, host, pathname, search } = new URL(url);
    return `${protocol}//${host}${pathname}${search === "" ? "" : "?..."}`.slice(0, 300);
  } catch {
    return url.slice(0, 100);
  }
}
