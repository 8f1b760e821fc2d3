import { checkBackup } from "./backup/check-backup.ts";
import { said } from "./backup/make-backup.ts";
import { restoreBackup } from "./backup/restore-backup.ts";
import { argumentsOf, type Command, type Context } from "./command.ts";

export const backupCommands: readonly Command[] = [
  {
    usage: "import DIR",
    about: "bring a backup of pumice export --all into a new lab (docs/backup.md)",
    options: { check: { type: "boolean" } },
    help: [
      "--check             only look whether the backup is complete and as it was written; needs no lab",
      "",
      "The lab must be a new one, of either engine; its own tokens stay good beside those of the backup. It opens when all",
      "is there. A run that was cut is done again by the same command.",
    ],
    run: importBackup,
  },
  {
    usage: "reopen",
    about: "open a lab again that pumice export --all --close has closed",
    run: async (context) => {
      argumentsOf(context);
      await context.client().json("DELETE", "/backup/closed");
      context.terminal.say("The lab is open");
      return 0;
    },
  },
];

async function importBackup(context: Context): Promise<number> {
  const [dir = ""] = argumentsOf(context, "DIR");
  const { terminal } = context;
  // Before anything is sent: half of a lab is of no use to anybody.
  const manifest = checkBackup(dir, (blobs) => terminal.progress?.(`files of jobs read: ${blobs}`));
  terminal.progress?.("");
  const what = `${dir}: a backup of ${manifest.from} of ${manifest.begun}; ${said(manifest.counts)}`;
  if (context.values["check"] === true) {
    terminal.out(`${what}; complete and undamaged`);
    return 0;
  }
  terminal.say(what);
  const isNew = await restoreBackup(context, dir, manifest);
  terminal.progress?.("");
  terminal.out(isNew ? "the lab is restored and open" : "this backup was restored here before");
  return 0;
}
