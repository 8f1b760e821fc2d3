import type { JobView } from "#protocol/api.ts";
import { JSON_HELP, JSON_OPTION, jobIdOf, type Command } from "./command.ts";
import { printable } from "./printable.ts";
import { table } from "./terminal.ts";

export const groupCommand: Command = {
  usage: "group ID",
  about: "list the jobs of a multinode group, by the id of one of them",
  options: JSON_OPTION,
  help: [JSON_HELP],
  run: async (context) => {
    const { terminal, values } = context;
    const id = jobIdOf(context);
    const { members } = await context.client().json<JobView>("GET", `/jobs/${id}`);
    if (!members) {
      terminal.say(`pumice: job ${id} is in no multinode group`);
      return 2;
    }
    if (values["json"]) terminal.out(JSON.stringify(members, undefined, 2));
    else {
      const rows = members.map((member) => [
        String(member.id),
        member.sub_id,
        printable(member.role) + (member.essential ? " (essential)" : ""),
        member.state,
        member.health,
        member.device ?? (member.host_job === undefined ? "" : `with job ${member.host_job}`),
      ]);
      terminal.out(table(terminal, ["ID", "SUB ID", "ROLE", "STATE", "HEALTH", "DEVICE"], rows));
    }
    return 0;
  },
};
