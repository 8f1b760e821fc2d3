/**
 * Less than 0 when `a` is the older of two versions, more when `b` is, 0 when neither: as semver.org orders them, what
 * stands behind a `+` left out.
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (let n = 0; n < 3; n++) {
    const difference = (left.numbers[n] ?? 0) - (right.numbers[n] ?? 0);
    if (difference !== 0) return difference;
  }
  return comparePrereleases(left.prerelease, right.prerelease);
}

/** One that has a pre-release is older than the same without. */
function comparePrereleases(a: string[], b: string[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  for (let n = 0; n < Math.max(a.length, b.length); n++) {
    const [left, right] = [a[n], b[n]];
    if (left === undefined) return -1;
    if (right === undefined) return 1;
    const isNumber = [left, right].map((part) => /^\d+$/.test(part));
    if (isNumber[0] !== isNumber[1]) return isNumber[0] ? -1 : 1;
    const difference = isNumber[0] ? Number(left) - Number(right) : compareTexts(left, right);
    if (difference !== 0) return difference;
  }
  return 0;
}

const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function partsOf(version: string): { numbers: number[]; prerelease: string[] } {
  const [, core = "", prerelease] = /^([\d.]+)(?:-([^+]*))?/.exec(version) ?? [];
  return { numbers: core.split(".").map(Number), prerelease: prerelease?.split(".") ?? [] };
}
