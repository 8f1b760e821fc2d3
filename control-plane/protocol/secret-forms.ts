/** Shorter ones are no secrets: what a log has in every line could not be read any more. */
export const LEAST_SECRET_CHARS = 4;
/** Lines of a longer secret, such as a key, are known by themselves, too: a console prints them one by one. */
const LEAST_LINE_CHARS = 16;

/**
 * Every text that gives a secret away: itself, and as base64 (wherever in a longer text it stands), base64url, hex, in URLs, and
 * quoted for JSON, YAML and shells. None for a secret that is too short.
 */
export function secretForms(secret: string): Set<string> {
  const forms = new Set<string>();
  const whole = secret.replace(/\r?\n$/, "");
  if (whole.trim().length < LEAST_SECRET_CHARS) return forms;
  for (const text of new Set([secret, whole])) {
    const bytes = Buffer.from(text);
    const all = [
      text,
      ...quoted(text),
      ...inUrls(text),
      ...hex(bytes),
      ...base64(bytes),
      // A console's lines have no breaks in them.
      text.replace(/[\r\n]/g, ""),
    ];
    for (const form of all) if (form.length >= LEAST_SECRET_CHARS) forms.add(form);
  }
  for (const line of whole.split(/\r?\n/)) {
    if (line !== whole && line.trim().length >= LEAST_LINE_CHARS) forms.add(line.trim());
  }
  return forms;
}

/** Values of a job's `secrets`, however deep (`rclone_env` is a mapping). */
export function secretTexts(value: unknown): string[] {
  if (typeof value === "string" || typeof value === "number") return [String(value)];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(secretTexts);
}

function quoted(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1);
  return [
    json,
    json.replaceAll("/", "\\/"),
    asAscii(json),
    // YAML, and SQL, in single quotes.
    text.replaceAll("'", "''"),
    // Shells: in single quotes (two ways), in double ones, and by backslashes.
    text.replaceAll("'", "'\\''"),
    text.replaceAll("'", `'"'"'`),
    text.replace(/[$`"\\]/g, "\\$&"),
    text.replace(/[$`"\\!]/g, "\\$&"),
    text.replace(/[^\w@%+=:,./-]/g, "\\$&"),
    text.replace(/[^\w@%+=:,./\u0080-\uffff-]/g, "\\$&"),
    text.replace(/[^\w./-]/g, "\\$&"),
    // HTML and XML.
    text
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;"),
  ];
}

/** As Python's JSON has it. */
const asAscii = (json: string): string =>
  json.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

function inUrls(text: string): string[] {
  const escaped = (keep: RegExp): string =>
    [...Buffer.from(text)]
      .map((byte) => {
        const character = String.fromCharCode(byte);
        if (byte < 0x80 && keep.test(character)) return character;
        return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
      })
      .join("");
  const upper = [
    escaped(/[\w.~-]/),
    // As JavaScript, as Python (which leaves `/`), and as a whole address has it.
    escaped(/[\w.~!*'()-]/),
    escaped(/[\w.~/-]/),
    escaped(/[\w.~!*'();:@&=+$,/?#-]/),
    escaped(/[\w.*-]/),
  ];
  const lower = upper.map((form) => form.replace(/%../g, (code) => code.toLowerCase()));
  const both = [...upper, ...lower];
  return [...both, ...both.map((form) => form.replaceAll("%20", "+"))];
}

function hex(bytes: Buffer): string[] {
  const pairs = [...bytes].map((byte) => byte.toString(16).padStart(2, "0"));
  const forms = ["", ":", " ", "\\x"].map((between) => pairs.join(between));
  return [...forms, ...forms.map((form) => form.toUpperCase().replaceAll("\\X", "\\x"))];
}

/**
 * In base64 three bytes are four characters, so that a secret within a longer text looks in one of three ways. The characters
 * at its ends that tell of its neighbours, too, are left out.
 */
function base64(bytes: Buffer): string[] {
  const forms: string[] = [bytes.toString("base64"), bytes.toString("base64url")];
  for (const before of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
    const begin = Math.ceil((before * 8) / 6);
    const end = Math.floor(((before + bytes.length) * 8) / 6);
    const form = text.slice(begin, end);
    forms.push(form, form.replaceAll("+", "-").replaceAll("/", "_"));
  }
  return forms;
}
