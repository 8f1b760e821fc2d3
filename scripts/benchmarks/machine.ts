import { arch, cpus, loadavg, release, totalmem } from "node:os";

/** On what was measured, and how much else it had to do before. */
export const machine = () => ({
  processors: `${cpus().length} x ${cpus()[0]?.model.trim()}, ${arch()}`,
  memory_gib: Math.round(totalmem() / 2 ** 30),
  system: `Linux ${release()}, Node.js ${process.version}`,
  load_before: loadavg()[0]!,
});

/** A line each, for people. */
export const described = (facts: Readonly<Record<string, string | number>>): string =>
  Object.entries(facts)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
