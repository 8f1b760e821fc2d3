import fc from "fast-check";

/**
 * The same examples in every run, so that a run says something about the change it is for. Others, to look for what these
 * don't find: `PUMICE_SEED=random`, or a number.
 */
const wanted = process.env["PUMICE_SEED"] ?? "20261122";
fc.configureGlobal({
  seed: wanted === "random" ? Math.trunc(Math.random() * 2 ** 31) : Number(wanted),
});

export { fc };
