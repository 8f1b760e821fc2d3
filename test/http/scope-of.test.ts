import { expect, test } from "vitest";
import type { Scope } from "#protocol/sign-in.ts";
import { requireScope, scopeOf } from "../../control-plane/http/scope-of.ts";

test.each<[string, string, Scope]>([
  ["GET", "/api/v1/jobs", "read"],
  ["HEAD", "/jobs/1", "read"],
  ["GET", "/api/v1/labels", "read"],
  ["GET", "/api/v1/lab", "admin"],
  ["GET", "/api/v1/backup/items", "admin"],
  ["POST", "/api/v1/jobs", "submit"],
  ["POST", "/jobs/1/cancel", "submit"],
  ["POST", "/submit", "submit"],
  ["POST", "/views", "submit"],
  ["POST", "/api/v1/reservations", "submit"],
  ["PUT", "/api/v1/devices/a", "workers"],
  ["POST", "/api/v1/workers/a/rotate", "workers"],
  ["POST", "/api/v1/jobsx", "admin"],
  ["POST", "/api/v1/tokens", "admin"],
  ["POST", "/api/v1/tokens/0123/rotate", "read"],
  ["POST", "/api/v1/tokens/0123/rotate/more", "admin"],
  ["PUT", "/api/v1/secrets/a", "admin"],
  // Whoever may add one, may have workers run anything.
  ["PUT", "/api/v1/release-keys", "admin"],
  ["POST", "/api/v1/what-is-new", "admin"],
  ["POST", "/account/tokens", "admin"],
])("%s %s needs the scope %s", (method, path, scope) => {
  expect(scopeOf(method, path)).toBe(scope);
});

/** Pages of administration, and what of the API tells the same. */
test.each([
  ["/admin/users", "/users"],
  ["/admin/users/a", "/users/a"],
  ["/admin/groups", "/groups"],
  ["/admin/permissions", "/permissions"],
  ["/admin/permissions/device/a", "/permissions/device/a"],
  ["/admin/tokens", "/tokens"],
  ["/admin/releases", "/releases"],
  ["/admin/notices", "/notices"],
  ["/admin/settings", "/settings"],
  ["/audit", "/audit"],
])("%s needs the scope that the API's %s needs", (page, path) => {
  expect(scopeOf("GET", page)).toBe(scopeOf("GET", `/api/v1${path}`));
  expect(scopeOf("POST", page)).toBe("admin");
});

const user = { kind: "user", name: "a", admin: true, groups: [], tokenId: "t" } as const;
const may = (scopes: readonly Scope[] | undefined, method: string, path: string): boolean => {
  try {
    requireScope(scopes ? { ...user, scopes } : user, method, path);
    return true;
  } catch {
    return false;
  }
};

test("every scope may read, admin may everything, and a token without scopes, too", () => {
  const asked = [
    ["GET", "/jobs"],
    ["POST", "/jobs"],
    ["PUT", "/devices/a"],
    ["POST", "/tokens"],
  ] as const;
  const row = (scopes?: readonly Scope[]) =>
    asked.map(([method, path]) => may(scopes, method, path));
  expect(row(["read"])).toEqual([true, false, false, false]);
  expect(row(["submit"])).toEqual([true, true, false, false]);
  expect(row(["workers"])).toEqual([true, false, true, false]);
  expect(row(["submit", "workers"])).toEqual([true, true, true, false]);
  expect(row(["admin"])).toEqual([true, true, true, true]);
  expect(row()).toEqual([true, true, true, true]);
});

test("tokens of workers and jobs have none", () => {
  requireScope({ kind: "worker", name: "w", tokenId: "t" }, "POST", "/worker/sync");
  requireScope({ kind: "job", jobId: 1, attempt: 1 }, "POST", "/jobs/1/finish");
});

test("a person's token at what is for workers is not sent for another scope", () => {
  const ask = (path: string) => () =>
    requireScope({ ...user, scopes: ["submit"] }, "POST", `/api/v1/${path}`);
  expect(ask("worker/sync")).toThrow(
    "it needs the token that `pumice workers add` or `enrol` made",
  );
  expect(ask("workers")).toThrow("the scope workers");
});
