// Gives back its start-up pages, as an idle agent does, and prints what of its runtime's code is in memory before and after, in kB.
import { readFileSync } from "node:fs";
import { leavePages } from "../../worker/host/start-up-pages.ts";

const before = codeInMemory();
leavePages();
console.log(JSON.stringify({ before, after: codeInMemory() }));

function codeInMemory(): number {
  const maps = readFileSync("/proc/self/smaps", "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  return maps
    .filter((map) => / r-xp /.test(map) && map.includes(process.execPath))
    .reduce((sum, map) => sum + Number(/^Rss: +(\d+)/m.exec(map)?.[1]), 0);
}
