import type { Context, MiddlewareHandler } from "hono";

/** Gives every page its headers. */
export function securityHeaders(blobOrigin?: string): MiddlewareHandler {
  return async (c, next) => {
    await next();
    setSecurityHeaders(c, blobOrigin);
  };
}

/**
 * Headers of every page: nothing but our own files, no inline script or style, no frames, forms to ourselves only, and
 * connections to ourselves and to where the blobs are. The referrer stays within the lab, since a form's origin is
 * told only along with it.
 */
export function setSecurityHeaders(c: Context, blobOrigin?: string): void {
  const connections = ["'self'", ...(blobOrigin === undefined ? [] : [new URL(blobOrigin).origin])];
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src ${connections.join(" ")}`,
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  c.header("content-security-policy", policy);
  c.header("x-content-type-options", "nosniff");
  c.header("referrer-policy", "same-origin");
  c.header("cross-origin-opener-policy", "same-origin");
  if (!c.res.headers.has("cache-control")) c.header("cache-control", "no-store");
}
