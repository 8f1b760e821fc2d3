import type { Row } from "../row.ts";

const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  identities: ["add", "show", "delete", "list"],
  system: [
    ...["version", "api", "whoami", "export", "maintenance", "active"],
    ...["methods list", "methods help", "methods signature"],
  ],
  jobs: [
    ...["submit", "show", "definition", "cancel", "validate", "wait", "logs", "run", "resubmit"],
    ...["list", "queue"],
  ],
  workers: [
    ...["add", "update", "show", "list", "maintenance"],
    ...["config set", "config get", "env set", "env get"],
  ],
  "device-types": [
    ...["add", "update", "show", "list", "aliases add", "aliases list", "aliases delete"],
    ...["template set", "template get", "health-check set", "health-check get"],
  ],
  devices: [
    ...["add", "update", "show", "list", "maintenance", "dict set", "dict get"],
    ...["tags add", "tags list", "tags delete"],
  ],
  aliases: ["add", "show", "delete", "list"],
  tags: ["add", "show", "delete", "list"],
};

/** The commands of lavacli 1.2. */
export const LAVACLI_ROWS: readonly Row[] = [
  ...Object.entries(COMMANDS)
    .flatMap(([of, commands]) => commands.map((one) => `${of} ${one}`))
    .concat("results")
    .map((name): Row => ({ surface: "lavacli", name, state: "works", about: "" })),
  {
    ...{ surface: "lavacli", name: "events listen", state: "works" },
    about: "it sends no token: in a lab that is shown to people who are not signed in",
  },
  {
    ...{ surface: "lavacli", name: "events wait", state: "absent", refused: "exit 1" },
    about: "it needs ZeroMQ; `jobs wait`, or `pumice watch`",
  },
  {
    ...{ surface: "lavacli", name: "jobs config", state: "absent", refused: "exit 1" },
    about: "`scheduler.jobs.configuration` answers; lavacli 1.2 can't write that, nor LAVA's",
  },
];
