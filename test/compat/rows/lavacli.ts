import type { Row } from "../row.ts";

const TEST = "test/compat/lavacli.compat.test.ts";
const works = (name: string, about = "", called = `"${name} `): Row => ({
  ...{ surface: "lavacli", name, state: "works", about, test: TEST, called },
});
const bare = (name: string): Row => works(name, "", `"${name}"`);

/** The commands of lavacli 1.2, by the words with which the test calls them. */
export const LAVACLI_ROWS: readonly Row[] = [
  works("identities add", "", "`identities add"),
  ...["identities show", "identities delete"].map((one) => works(one)),
  bare("identities list"),
  ...["system version", "system api", "system whoami", "system methods list"].map(bare),
  ...["system methods help", "system methods signature", "system export"].map((one) => works(one)),
  ...["system maintenance", "system active"].map(bare),
  ...["submit", "show", "definition", "cancel", "validate", "wait", "logs", "run", "resubmit"].map(
    (one) => works(`jobs ${one}`),
  ),
  ...["jobs list", "jobs queue"].map(bare),
  {
    ...{
      surface: "lavacli",
      name: "jobs config",
      state: "works",
      test: TEST,
      called: "`jobs config",
    },
    about: "is answered; lavacli 1.2 itself can't write the files, from LAVA neither",
  },
  works("results"),
  ...["add", "update", "show", "maintenance", "config set", "config get", "env set", "env get"].map(
    (one) => works(`workers ${one}`),
  ),
  bare("workers list"),
  ...["add", "update", "show", "aliases add", "aliases list", "aliases delete"].map((one) =>
    works(`device-types ${one}`),
  ),
  ...["template set", "template get", "health-check set", "health-check get"].map((one) =>
    works(`device-types ${one}`),
  ),
  bare("device-types list"),
  ...["add", "update", "show", "dict set", "dict get", "tags add", "tags list", "tags delete"].map(
    (one) => works(`devices ${one}`),
  ),
  works("devices maintenance"),
  bare("devices list"),
  ...["aliases add", "aliases show", "aliases delete", "tags add", "tags show", "tags delete"].map(
    (one) => works(one),
  ),
  ...["aliases list", "tags list"].map(bare),
];
