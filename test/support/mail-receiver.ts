import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";

export interface ReceivedMail {
  readonly from: string;
  readonly to: string[];
  readonly headers: Map<string, string>;
  readonly text: string;
  readonly secure: boolean;
  readonly user: string | undefined;
}

export interface MailReceiver {
  readonly port: number;
  readonly mails: ReceivedMail[];
  /** What it says to the next recipients; 0: it takes them. */
  refuse(code: number): void;
  close(): Promise<void>;
}

/** A real SMTP server on loopback. With a certificate it offers STARTTLS; with a login it asks for it. */
export async function mailReceiver({
  tls,
  login,
}: {
  tls?: { cert: string; key: string };
  login?: { user: string; password: string };
} = {}): Promise<MailReceiver> {
  const mails: ReceivedMail[] = [];
  let code = 0;
  const server = new SMTPServer({
    authOptional: login === undefined,
    ...(tls
      ? { cert: readFileSync(tls.cert), key: readFileSync(tls.key) }
      : { disabledCommands: ["STARTTLS"] }),
    allowInsecureAuth: tls === undefined,
    onAuth(auth, _session, done) {
      const isRight = auth.username === login?.user && auth.password === login?.password;
      if (isRight) done(null, { user: auth.username });
      else done(new Error("who are you?"));
    },
    onRcptTo(_address, _session, done) {
      if (code === 0) return done();
      done(Object.assign(new Error("not now"), { responseCode: code }));
    },
    onData(stream, session, done) {
      let text = "";
      stream.setEncoding("utf8");
      stream.on("data", (chunk: string) => (text += chunk));
      stream.on("end", () => {
        mails.push(readMail(text, session));
        done(null, "taken");
      });
    },
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    refuse: (next) => void (code = next),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

type Session = Parameters<
  NonNullable<ConstructorParameters<typeof SMTPServer>[0]>["onData"] & {}
>[1];

function readMail(raw: string, session: Session): ReceivedMail {
  const [head = "", ...body] = raw.split("\r\n\r\n");
  const lines = head.replaceAll(/\r\n[ \t]+/g, " ").split("\r\n");
  const headers = new Map(
    lines.map((line) => [
      line.slice(0, line.indexOf(":")).toLowerCase(),
      line.slice(line.indexOf(":") + 2),
    ]),
  );
  const { mailFrom, rcptTo } = session.envelope;
  return {
    from: mailFrom === false ? "" : mailFrom.address,
    to: rcptTo.map(({ address }) => address),
    headers,
    text: body.join("\n\n").replaceAll("\r\n", "\n"),
    secure: session.secure,
    user: session.user as string | undefined,
  };
}
