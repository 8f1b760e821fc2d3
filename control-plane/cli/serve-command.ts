import { once } from "node:events";
import path from "node:path";
import type { Serving } from "../serve.ts";
import { argumentsOf, textOf, UsageError, type Command, type Context } from "./command.ts";
import { makeFolder } from "./make-folder.ts";

export const serveCommand: Command = {
  usage: "serve",
  isLocal: true,
  about: "run a control plane on this machine",
  options: {
    data: { type: "string" },
    listen: { type: "string" },
    "retention-days": { type: "string" },
    "tls-cert": { type: "string" },
    "tls-key": { type: "string" },
    "trusted-proxies": { type: "string" },
    archive: { type: "boolean" },
    coordinator: { type: "string" },
  },
  help: [
    "--data DIR          where it keeps everything; made when it is new",
    "--listen HOST:PORT  default 127.0.0.1:8400; port 0 takes a free one",
    "--retention-days N  forget jobs, with logs and results, N days after their end; default: 0, keep all",
    "--tls-cert FILE     serve https://: the certificate, PEM, with those between it and its authority",
    "--tls-key FILE      its key, PEM; both are read again when they are renewed",
    "--trusted-proxies N how many proxies of yours stand in front: only they are believed about who asks; default 0",
    "--archive           serve it only to be read: no jobs, no workers, no changes (PUMICE_ARCHIVE=yes)",
    "--coordinator HOST:PORT  be the lava-coordinator of stock workers (port 3079 there), so that they get multinode jobs (docs/stock-workers.md)",
    "Secrets of sign-in providers: PUMICE_SIGN_IN_SECRET_NAME, or a file by PUMICE_SIGN_IN_SECRET_NAME_FILE (docs/sign-in.md)",
    "Each may be set in the environment instead: PUMICE_DATA, PUMICE_LISTEN, PUMICE_RETENTION_DAYS, PUMICE_TLS_CERT ...",
  ],
  run: async (context) => {
    argumentsOf(context);
    const data = settingOf(context, "data");
    if (!data) throw new UsageError("--data is missing: say where the lab keeps its data");
    const dataDir = path.resolve(data);
    makeFolder(dataDir, 0o700);
    // Only this command needs the server's code.
    const { serve } = await import("../serve.ts");
    const listen = settingOf(context, "listen") ?? "127.0.0.1:8400";
    const retentionDays = daysOf(settingOf(context, "retention-days"));
    const trustedProxies = proxiesOf(settingOf(context, "trusted-proxies"));
    const { env, values } = context;
    const archive = values["archive"] === true || env["PUMICE_ARCHIVE"] === "yes";
    const tls = tlsOf(context);
    const serving = await serve({
      dataDir,
      listen,
      retentionDays,
      tls,
      trustedProxies,
      archive,
      coordinator: settingOf(context, "coordinator"),
      env,
    });
    context.terminal.say(`Pumice serves at ${serving.url} `);
    const tokenFile = path.join(dataDir, "admin-token");
    context.terminal.say(`Data: ${dataDir}; the administrator's token: ${tokenFile}`);
    if (!archive) await tellHowToSignIn(context, { serving, listen, tokenFile });
    if (serving.coordinator !== undefined) {
      context.terminal.say(`Coordinator of stock workers: ${serving.coordinator}`);
    }
    if (!context.signal.aborted) await once(context.signal, "abort");
    context.terminal.say("Stopping ...");
    await serving.close();
    return 0;
  },
};

/** To a person who looks, and before anybody has signed in, by a link: it is a secret, which no service's log is to have. */
async function tellHowToSignIn(
  { terminal }: Context,
  { serving, listen, tokenFile }: { serving: Serving; listen: string; tokenFile: string },
) {
  const link = terminal.progress ? await serving.firstSignInLink() : undefined;
  if (link === undefined) {
    terminal.say(
      `To sign a browser in: pumice sign-in --url ${serving.url} --token-file ${tokenFile}`,
    );
    return;
  }
  terminal.say(
    `Nobody has signed in yet. This link signs your browser in, once, within ten minutes:\n  ${link}`,
  );
  if (/^(0\.0\.0\.0|\[::\]):/.test(listen)) {
    terminal.say("  (from another machine: with this one's name in the place of 127.0.0.1)");
  }
}

/** An option, or the environment's word for it, as containers have it: `--tls-cert`, `PUMICE_TLS_CERT`. */
const settingOf = ({ values, env }: Context, name: string): string | undefined =>
  textOf(values, name) ?? (env[`PUMICE_${name.toUpperCase().replaceAll("-", "_")}`] || undefined);

function tlsOf(context: Context): { cert: string; key: string } | undefined {
  const cert = settingOf(context, "tls-cert");
  const key = settingOf(context, "tls-key");
  if (cert && key) return { cert: path.resolve(cert), key: path.resolve(key) };
  if (!cert && !key) return undefined;
  throw new UsageError("--tls-cert and --tls-key go together");
}

function daysOf(text: string | undefined): number {
  if (text === undefined || text === "0") return 0;
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new UsageError(`--retention-days: expected a number of days such as 90, not ${text}`);
}

function proxiesOf(text: string | undefined): number {
  if (/^\d$/.test(text ?? "0")) return Number(text ?? 0);
  throw new UsageError(`--trusted-proxies: expected a number of proxies such as 1, not ${text}`);
}
