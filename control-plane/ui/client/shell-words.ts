import type { Proposal } from "./job-words.ts";

/** The helpers of the test shell (docs/methods/test-definitions.md) and of multinode jobs (docs/multinode.md). */
const HELPERS: Readonly<Record<string, string>> = {
  "lava-test-case":
    "NAME --shell COMMAND, or NAME --result pass, fail, skip or unknown: reports a test case",
  "lava-test-set": "start NAME, and stop: the cases between are a set",
  "lava-test-reference": "NAME --result RESULT --reference URL: where a result is explained",
  "lava-test-raise": "MESSAGE: ends the job as a failure",
  "lava-test-event": "MESSAGE: an event of the job's log",
  "lava-test-feedback": "--namespace NAMESPACE: reads what another namespace's device says",
  "lava-background-process-start": "NAME --cmd COMMAND: runs it beside the tests",
  "lava-background-process-stop": "NAME: ends it",
  "lava-install-packages": "PACKAGE...: installs them with the system's own program",
  "lava-echo-ipv4": "INTERFACE: prints its address",
  "lava-target-ip": "Prints the address of the device",
  "lava-self": "Prints the name of this device",
  "lava-role": "Prints the role of this device",
  "lava-group": "Lists the members of the group with their roles",
  "lava-send": "MESSAGE KEY=VALUE...: tells the group",
  "lava-wait": "MESSAGE: waits until one of the group has sent it",
  "lava-wait-all": "MESSAGE ROLE: waits until all of the group, or of a role, have sent it",
  "lava-sync": "NAME: waits until all of the group are here",
};

const OPTIONS: Readonly<Record<string, string>> = {
  "--shell": "The command whose exit code is the result",
  "--result": "pass, fail, skip or unknown",
  "--measurement": "A number",
  "--units": "Of the measurement",
};
const RESULTS = ["pass", "fail", "skip", "unknown"];

/** What may follow in a step of a test definition; `prefix` is what stands before the word. */
export function shellProposals(prefix: string): Proposal[] {
  if (prefix === "") return wordsOf(HELPERS);
  if (!/^lava-test-case\s+\S+\s/.test(prefix) || /--shell\s/.test(prefix)) return [];
  if (/--result\s+$/.test(prefix)) return RESULTS.map((label) => ({ label, kind: "word" }));
  if (/--(measurement|units)\s+$/.test(prefix)) return [];
  return wordsOf(OPTIONS);
}

const wordsOf = (table: Readonly<Record<string, string>>): Proposal[] =>
  Object.entries(table).map(([label, info]) => ({ label, kind: "word", info }));
