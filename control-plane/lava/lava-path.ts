/** Paths that are LAVA's own; `/results` and `/scheduler` stand for people's bookmarks, too. */
const LAVA = /^\/(RPC2|api\/help|api\/v0\.[12]|scheduler|results|ws)(\/|$)/;

export const isLavaPath = (path: string): boolean => LAVA.test(path);
