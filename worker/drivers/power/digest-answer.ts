import { createHash, randomBytes } from "node:crypto";

const HASHES: Readonly<Record<string, string>> = { md5: "md5", "sha-256": "sha256" };

/**
 * The `Authorization` header that answers a digest challenge (RFC 7616, qop `auth`); undefined when the challenge is
 * another kind.
 */
export function digestAnswer(
  challenge: string,
  method: string,
  uri: string,
  { user, password }: { user: string; password: string },
): string | undefined {
  if (!/^digest /i.test(challenge)) return undefined;
  const given = new Map(
    [...challenge.matchAll(/(\w+)=(?:"([^"]*)"|([^\s,]+))/g)].map(
      ([, name = "", quoted, bare]) => [name.toLowerCase(), quoted ?? bare ?? ""] as const,
    ),
  );
  const [realm = "", nonce = "", algorithm = "MD5"] = ["realm", "nonce", "algorithm"].map((name) =>
    given.get(name),
  );
  const hash = HASHES[algorithm.toLowerCase()];
  if (hash === undefined || !(given.get("qop") ?? "").split(/, */).includes("auth"))
    return undefined;
  const digest = (text: string): string => createHash(hash).update(text).digest("hex");
  const cnonce = randomBytes(8).toString("hex");
  const nc = "00000001";
  const secret = digest(`${user}:${realm}:${password}`);
  const response = digest(
    [secret, nonce, nc, cnonce, "auth", digest(`${method}:${uri}`)].join(":"),
  );
  const opaque = given.has("opaque") ? `, opaque="${given.get("opaque")}"` : "";
  return `Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", algorithm=${algorithm}, response="${response}", qop=auth, nc=${nc}, cnonce="${cnonce}"${opaque}`;
}
