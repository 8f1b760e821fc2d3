import { generateKeyPairSync } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import type { WorkerView } from "#protocol/api.ts";
import {
  STAGES,
  type ReleaseKeyView,
  type ReleaseView,
  type RolloutState,
  type RolloutView,
} from "#protocol/release-api.ts";
import { readReleaseKey } from "#protocol/release-key.ts";
import { addRelease } from "./add-release.ts";
import {
  argumentsOf,
  JSON_HELP,
  JSON_OPTION,
  readNamedFile,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { printList } from "./print-list.ts";
import { printable } from "./printable.ts";
import { removeNamed } from "./remove-named.ts";
import { table, type Colour } from "./terminal.ts";

export const releaseCommands: readonly Command[] = [
  {
    usage: "releases",
    about: "list the worker's releases (docs/upgrades.md)",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: (context) =>
      printList<ReleaseView>(
        context,
        "/releases",
        "releases",
        ["VERSION", "ADDED (UTC)", "BY", "STATE", "FOR"],
        ({ version, added, user, ready, files }) => [
          version,
          minuteOf(added),
          user,
          ready ? "ready" : { text: "files are missing: add it again", colour: "yellow" },
          files.map(({ platform }) => platform).join(", "),
        ],
      ),
  },
  {
    usage: "releases show VERSION",
    about: "print what a release has, as JSON",
    run: async (context) => {
      const [version = ""] = argumentsOf(context, "VERSION");
      const release = await context
        .client()
        .json<ReleaseView>("GET", `/releases/${encode(version)}`);
      context.terminal.out(JSON.stringify(release, undefined, 2));
      return 0;
    },
  },
  {
    usage: "releases keygen FILE",
    about: "make the key that signs releases: FILE stays secret, FILE.pub is for the lab",
    isLocal: true,
    run: makeKey,
  },
  {
    usage: "releases trust FILE.pub",
    about: "let the lab take releases that this key signed, and hand it to workers that enrol",
    run: async (context) => {
      const [file = ""] = argumentsOf(context, "FILE.pub");
      const pem = readNamedFile(file);
      const key = await context.client().json<ReleaseKeyView>("PUT", "/release-keys", { pem });
      context.terminal.say(
        `Key ${key.id} is trusted by the lab; workers need it too (PUMICE_RELEASE_KEYS)`,
      );
      return 0;
    },
  },
  {
    usage: "releases keys",
    about: "print the keys that the lab trusts, as a file for workers (PUMICE_RELEASE_KEYS)",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: async (context) => {
      argumentsOf(context);
      const list = await context
        .client()
        .json<{ release_keys: ReleaseKeyView[] }>("GET", "/release-keys");
      const text = list.release_keys.map(({ pem }) => pem.trim()).join("\n");
      context.terminal.out(context.values["json"] ? JSON.stringify(list, undefined, 2) : text);
      return 0;
    },
  },
  {
    usage: "releases untrust ID",
    about: "take a key from the lab; workers that have it keep it",
    run: (context) => removeNamed(context, "release-keys", "ID"),
  },
  {
    usage: "releases add DIR",
    about: "bring what scripts/build made: manifest.json, manifest.json.sig and the files",
    run: addRelease,
  },
  {
    usage: "releases remove VERSION",
    about: "remove a release and its files",
    run: (context) => removeNamed(context, "releases", "VERSION"),
  },
  {
    usage: "rollout [status]",
    about: "show the roll-out and how each worker stands to it",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: showRollout,
  },
  {
    usage: "rollout start VERSION",
    about: "offer a release to one worker, then more",
    options: { stage: { type: "string" }, worker: { type: "string" } },
    help: [
      `--stage STAGE       ${STAGES.join(", ")}; one when not given`,
      "--worker NAME       which worker is the first",
    ],
    run: async (context) => {
      const [version = ""] = argumentsOf(context, "VERSION");
      const [stage, worker] = [textOf(context.values, "stage"), textOf(context.values, "worker")];
      const body = {
        version,
        ...(stage === undefined ? {} : { stage }),
        ...(worker === undefined ? {} : { worker }),
      };
      return tell(context, "POST", "/rollout", body);
    },
  },
  {
    usage: "rollout next",
    about: "widen the roll-out by a stage, or go on with one that was stopped",
    run: (context) => {
      argumentsOf(context);
      return tell(context, "POST", "/rollout/next");
    },
  },
  {
    usage: "rollout stop",
    about: "offer it no more; workers that have not changed yet stay as they are",
    run: (context) => {
      argumentsOf(context);
      return tell(context, "POST", "/rollout/stop");
    },
  },
  {
    usage: "workers pin NAME VERSION",
    about: "make a worker change to a version, be it older, and stay with it",
    run: async (context) => {
      const [name = "", version = ""] = argumentsOf(context, "NAME", "VERSION");
      await context.client().json<WorkerView>("PUT", `/workers/${encode(name)}/pin`, { version });
      context.terminal.say(`${name} is pinned to ${version}`);
      return 0;
    },
  },
  {
    usage: "workers unpin NAME",
    about: "let a worker take part in roll-outs again",
    run: async (context) => {
      const [name = ""] = argumentsOf(context, "NAME");
      await context.client().json<WorkerView>("DELETE", `/workers/${encode(name)}/pin`);
      context.terminal.say(`${name} takes part in roll-outs`);
      return 0;
    },
  },
];

const encode = encodeURIComponent;
const minuteOf = (time: string): string => time.slice(0, 16).replace("T", " ");

async function makeKey(context: Context): Promise<number> {
  const [file = ""] = argumentsOf(context, "FILE");
  const publicFile = `${file}.pub`;
  for (const there of [file, publicFile]) {
    if (existsSync(there)) throw new UsageError(`${there} is there already: a key is not replaced`);
  }
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }), {
    mode: 0o600,
    flag: "wx",
  });
  const pem = String(publicKey.export({ type: "spki", format: "pem" }));
  writeFileSync(publicFile, pem, { flag: "wx" });
  const { id } = readReleaseKey(pem);
  context.terminal.say(
    `Key ${id}: ${file} signs releases (scripts/build --key), keep it secret and safe; ${publicFile} is for "pumice releases trust"`,
  );
  return 0;
}

async function showRollout(context: Context): Promise<number> {
  const { positionals, values, terminal } = context;
  if (positionals.length > 0 && positionals.join(" ") !== "status") argumentsOf(context);
  const answer = await context.client().json<{ rollout?: RolloutView }>("GET", "/rollout");
  if (values["json"]) terminal.out(JSON.stringify(answer, undefined, 2));
  else if (answer.rollout) print(context, answer.rollout);
  else terminal.say("Nothing has been rolled out yet");
  return 0;
}

async function tell(context: Context, method: string, where: string, body?: object) {
  const { rollout } = await context.client().json<{ rollout: RolloutView }>(method, where, body);
  print(context, rollout);
  return 0;
}

const WORDS: Record<RolloutState, { text: string; colour: Colour | undefined }> = {
  upgraded: { text: "has it", colour: "green" },
  downloading: { text: "downloading", colour: "cyan" },
  waiting: { text: "about to change", colour: "cyan" },
  offered: { text: "offered", colour: "cyan" },
  failed: { text: "failed", colour: "red" },
  rolled_back: { text: "went back", colour: "red" },
  pinned: { text: "pinned", colour: undefined },
  newer: { text: "is newer", colour: undefined },
  by_hand: { text: "by hand", colour: "yellow" },
  later: { text: "not yet", colour: undefined },
};

function print({ terminal }: Context, rollout: RolloutView): void {
  const { version, stage, first, active, reason, workers } = rollout;
  const reach = { one: `worker ${first}`, "10%": "10 % of the workers", all: "all workers" }[stage];
  const state = active ? "goes on" : `is stopped: ${printable(reason ?? "nobody said why")}`;
  terminal.out(`Roll-out of ${version} to ${reach} ${state}\n`);
  const rows = workers.map((worker) => [
    worker.name,
    worker.version ?? "",
    WORDS[worker.state],
    worker.detail ?? "",
  ]);
  terminal.out(table(terminal, ["WORKER", "VERSION", "STATE", ""], rows));
}
