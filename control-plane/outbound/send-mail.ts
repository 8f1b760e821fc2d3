import { createTransport } from "nodemailer";
import { CallRefused, type Mail } from "../ports/outbound.ts";

const TIMEOUT_MS = 10_000;

/** Hands a mail to its server and gives the server's answer. The server is the administrator's choice: no guard. */
export async function sendMail(mail: Mail, password: string | undefined): Promise<string> {
  const { server, from, to, subject, text, messageId } = mail;
  const transport = createTransport({
    host: server.host,
    port: server.port,
    secure: server.tls === "tls",
    requireTLS: server.tls === "starttls",
    ignoreTLS: server.tls === "none",
    ...(server.user === undefined ? {} : { auth: { user: server.user, pass: password ?? "" } }),
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    // Nothing that people write makes it read a file or call anybody.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    const sent = await transport.sendMail({
      from,
      // As one address, whatever is in it: a comma makes no second recipient.
      to: { name: "", address: to },
      subject,
      text,
      messageId: `<${messageId}>`,
      headers: { "Auto-Submitted": "auto-generated", "X-Pumice-Delivery": messageId },
    });
    return sent.response;
  } catch (error) {
    const { responseCode = 0, command = "" } = error as { responseCode?: number; command?: string };
    // 5xx is for good where it is about this mail; a refused password or a missing STARTTLS will be put right.
    if (responseCode >= 500 && /^(MAIL|RCPT|DATA)/.test(command))
      throw new CallRefused((error as Error).message, { cause: error });
    throw error;
  } finally {
    transport.close();
  }
}
