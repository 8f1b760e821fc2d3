// Looks up known holes of what ships: `scripts/audit`, and a check of scripts/test. Its exceptions: scripts/audit-exceptions.json.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const HELP = `scripts/audit [--strict] [--json]: looks up known holes (npm audit) of the packages that ship, those for tests left out.
A hole of severity high or critical fails, unless scripts/audit-exceptions.json has it with a day that is not over:
  [{ "id": "GHSA-...", "package": "name", "until": "2027-01-31", "why": "what it can't do here" }]
An exception whose day is over fails, too. A registry that doesn't answer is said and is no failure, but with --strict.
Exit code 0: nothing to do; 1: something is to be done; 2: it can't be run so.`;

const MOST_MS = 60_000;
const root = path.resolve(import.meta.dirname, "..");

export interface Hole {
  readonly id: string;
  readonly name: string;
  readonly severity: string;
  readonly title: string;
}

interface Exception {
  readonly id: string;
  readonly package: string;
  /** Its last day, `2027-01-31`. */
  readonly until: string;
  readonly why: string;
}

/** What is known; or why nothing is. */
type Asked =
  | { readonly holes: readonly Hole[] }
  | { readonly holes?: undefined; readonly why: string };

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help") || args.includes("-h")) return console.log(HELP);
  const unknown = args.filter((arg) => arg !== "--strict" && arg !== "--json");
  if (unknown.length > 0) {
    console.error(`scripts/audit: ${unknown.join(" ")} is none of its options; --help says more`);
    process.exitCode = 2;
    return;
  }
  const file = path.join(root, "scripts/audit-exceptions.json");
  const exceptions = JSON.parse(readFileSync(file, "utf8")) as Exception[];
  const today = new Date().toISOString().slice(0, 10);
  const asked = await ask();
  const { problems, notes } = verdict(asked, exceptions, today);
  if (asked.holes === undefined && args.includes("--strict")) problems.push(asked.why);
  if (args.includes("--json")) console.log(JSON.stringify({ problems, notes }));
  for (const note of args.includes("--json") ? [] : notes) console.log(note);
  for (const problem of problems) console.error(`FAILED: ${problem}`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}

/** What is to be done about holes and about exceptions on a day (`2027-01-31`), and what else there is to say. */
export function verdict(
  asked: Asked,
  exceptions: readonly Exception[],
  today: string,
): { problems: string[]; notes: string[] } {
  const over = exceptions.filter(({ until }) => until < today);
  const problems = over.map(
    ({ id, until }) => `the exception of ${id} was good until ${until}: look at it again`,
  );
  if (asked.holes === undefined) {
    return { problems, notes: [`skipped: known holes were not looked up: ${asked.why}`] };
  }
  const { holes } = asked;
  const isExcepted = ({ id, name }: Hole): boolean =>
    exceptions.some((one) => one.id === id && one.package === name && one.until >= today);
  const notes: string[] = [];
  for (const hole of holes) {
    const text = `${hole.name}: ${hole.severity}: ${hole.title} (${hole.id})`;
    const isGrave = hole.severity === "high" || hole.severity === "critical";
    if (isGrave && !isExcepted(hole)) problems.push(text);
    else notes.push(isGrave ? `excepted: ${text}` : text);
  }
  const unused = exceptions.filter(
    (one) => !holes.some(({ id, name }) => id === one.id && name === one.package),
  );
  notes.push(...unused.map(({ id }) => `the exception of ${id} is needed no more: remove it`));
  if (holes.length === 0) notes.push("no known holes in what ships");
  return { problems, notes };
}

interface Report {
  readonly vulnerabilities?: Readonly<
    Record<string, { via: (string | (Hole & { url?: string; source?: number }))[] }>
  >;
  readonly error?: { readonly summary?: string; readonly detail?: string };
  readonly message?: string;
}

/** The report of `npm audit --json` as a list, each hole once; with `why` instead when it is none. */
export function holesOf(text: string): Asked {
  let report: Report;
  try {
    report = JSON.parse(text) as Report;
  } catch {
    return { why: `npm audit said ${JSON.stringify(text.slice(0, 200))}` };
  }
  if (report.vulnerabilities === undefined) {
    const { summary, detail } = report.error ?? {};
    const why = summary || detail || report.message || "the registry does not answer audits";
    return { why: withoutAddresses(why) };
  }
  const found = new Map<string, Hole>();
  for (const { via } of Object.values(report.vulnerabilities)) {
    // A text names another package, through which it comes.
    for (const one of via) {
      if (typeof one === "string") continue;
      const id = /GHSA-[\w-]+/.exec(one.url ?? "")?.[0] ?? String(one.source);
      const { name, severity, title } = one;
      found.set(`${id} ${name}`, { id, name, severity, title });
    }
  }
  return { holes: [...found.values()] };
}

function ask(): Promise<Asked> {
  const child = spawn("npm", ["audit", "--omit=dev", "--json"], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: MOST_MS,
  });
  let [said, complained] = ["", ""];
  child.stdout.on("data", (data: Buffer) => (said += data.toString()));
  child.stderr.on("data", (data: Buffer) => (complained += data.toString()));
  return new Promise((resolve) => {
    child.on("error", (error) => resolve({ why: `npm can't be run: ${error.message}` }));
    child.on("close", (_code, signal) => {
      if (signal !== null) return resolve({ why: `no answer within ${MOST_MS / 1000} s` });
      resolve(said.trim() === "" ? { why: reasonIn(complained) } : holesOf(said));
    });
  });
}

/** The line that says most. */
const reasonIn = (complained: string): string =>
  withoutAddresses(
    complained.split("\n").find((line) => /audit/.test(line)) ?? "npm audit said nothing",
  ).replace(/^npm \w+ /, "");

/** They are this machine's. */
const withoutAddresses = (text: string): string =>
  text.replaceAll(/https?:\/\/\S+/g, "the registry");

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await main(process.argv.slice(2));
}
