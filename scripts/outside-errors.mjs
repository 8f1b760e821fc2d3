// A reporter of vitest's that writes what went wrong outside of every test, which its JSON report does not have.
import { writeFileSync } from "node:fs";

export default class {
  onTestRunEnd(_modules, errors) {
    const texts = errors.map(({ stack, message }) => stack ?? message ?? "unknown");
    writeFileSync(process.env["PUMICE_OUTSIDE_ERRORS"], JSON.stringify(texts));
  }
}
