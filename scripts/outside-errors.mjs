// A reporter of vitest's that writes what its JSON report does not have: what went wrong outside of every test, and tests that were
// skipped without a word of why.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

/** A line in which a file of tests, or what it imports, says why some of them are skipped: `skipped: PROGRAM is missing`. */
const REASON = /\bskipped: |is not on this machine/;

export default class {
  #saidBy = [];

  onUserConsoleLog({ content, taskId = "" }) {
    if (REASON.test(content)) this.#saidBy.push(taskId);
  }

  onTestRunEnd(modules, errors) {
    const texts = errors.map(({ stack, message }) => stack ?? message ?? "unknown");
    const silent = modules.flatMap((module) => this.#silentSkips(module));
    writeFileSync(process.env["PUMICE_OUTSIDE_ERRORS"], JSON.stringify([...texts, ...silent]));
  }

  #silentSkips(module) {
    const tests = [...module.children.allTests("skipped")].filter(
      (test) => test.result().note === undefined,
    );
    if (tests.length === 0) return [];
    const source = readFileSync(module.moduleId, "utf8");
    const isSaid = this.#saidBy.some((by) => {
      if (by === module.id || by.startsWith(`${module.id}_`)) return true;
      // Said while files are loaded: only where it was said is known, in the file itself or in what it imports.
      const [, file = ""] = /([^()\s]+\.[cm]?tsx?)(?::\d+){0,2}\)?$/.exec(by) ?? [];
      const name = path.basename(file);
      return (
        name !== "" && (path.basename(module.moduleId) === name || source.includes(`/${name}"`))
      );
    });
    if (isSaid) return [];
    const where = path.relative(process.cwd(), module.moduleId);
    const [first] = tests;
    return [
      `${where}: ${tests.length} skipped without a word of why, such as "${first.fullName}": print "skipped: " and the reason where they are skipped`,
    ];
  }
}
