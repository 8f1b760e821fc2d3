import { openEngine } from "../../control-plane/engines/embedded/engine.ts";

/*
 * A process that writes to an embedded engine until it is killed: `node endless-writer.ts FOLDER`. It prints each
 * number once its blob and its two items have been answered for.
 */
const engine = openEngine(process.argv[2] ?? "", { now: Date.now });
for (;;) {
  const n = await engine.table.counter("n");
  await engine.blobs.put(`numbers/${n}`, new TextEncoder().encode(String(n)));
  await engine.table.transact(
    ["a", "b"].map((sort) => ({ put: { key: { partition: `n#${n}`, sort }, data: { n } } })),
  );
  process.stdout.write(`${n}\n`);
}
