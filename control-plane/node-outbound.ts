import { readFileSync } from "node:fs";
import type { Outbound } from "./ports/outbound.ts";

/**
 * What the lab sends, by this process's own network. Its programs are loaded when something is sent. A mail server's
 * password in `PUMICE_SMTP_PASSWORD_FILE` or `PUMICE_SMTP_PASSWORD` goes before the lab's.
 */
export const outbound: Outbound = {
  async call(call) {
    const { guardedCall } = await import("./outbound/guarded-call.ts");
    return guardedCall(call);
  },
  async mail(mail) {
    const { sendMail } = await import("./outbound/send-mail.ts");
    return sendMail(mail, smtpPassword() ?? mail.server.password);
  },
};

function smtpPassword(): string | undefined {
  const file = process.env["PUMICE_SMTP_PASSWORD_FILE"] || undefined;
  if (file !== undefined) return readFileSync(file, "utf8").trimEnd();
  return process.env["PUMICE_SMTP_PASSWORD"] || undefined;
}
