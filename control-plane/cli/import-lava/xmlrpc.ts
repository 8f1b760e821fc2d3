/** What XML-RPC can say; `dateTime.iso8601` stays text, `base64` is bytes. */
export type XmlRpcValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | XmlRpcValue[]
  | { [name: string]: XmlRpcValue };

export type XmlRpcAnswer = { value: XmlRpcValue } | { fault: { code: number; message: string } };

/** The body of a call. */
export function encodeCall(method: string, params: readonly (string | boolean | null)[]): string {
  const encoded = params.map((param) => `<param><value>${encode(param)}</value></param>`).join("");
  return `<?xml version="1.0"?><methodCall><methodName>${escape(method)}</methodName><params>${encoded}</params></methodCall>`;
}

/**
 * Reads the body of an answer. Of XML only what XML-RPC needs is understood: no document type, no CDATA, no attributes,
 * no entities but XML's five and numbers. Bounded in depth; throws an Error for anything else.
 */
export function decodeAnswer(xml: string): XmlRpcAnswer {
  const tokens = tokensOf(xml);
  tokens.take("<methodResponse>");
  if (tokens.takes("<fault>")) {
    const value = readValue(tokens, 0) as Record<string, XmlRpcValue> | null;
    const { faultCode, faultString } = value ?? {};
    return { fault: { code: Number(faultCode), message: String(faultString) } };
  }
  tokens.take("<params>", "<param>");
  const value = readValue(tokens, 0);
  tokens.take("</param>", "</params>", "</methodResponse>");
  return { value };
}

function encode(value: string | boolean | null): string {
  if (value === null) return "<nil/>";
  if (typeof value === "boolean") return `<boolean>${Number(value)}</boolean>`;
  return `<string>${escape(value)}</string>`;
}

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const MAX_DEPTH = 50;

interface Tokens {
  /** The next tag, or what stands there in its place. White space before a tag does not count. */
  next: () => string | undefined;
  /** Takes the tag if it is the next. */
  takes: (tag: string) => boolean;
  /** Takes these tags, one after the other, or throws. */
  take: (...tags: string[]) => void;
  /** Takes the text before the next tag, which may be empty. */
  text: () => string;
}

function tokensOf(xml: string): Tokens {
  const found = xml.replace(/^\s*<\?xml[^>]*\?>/, "").match(/<[^<>]*>|[^<]+|</g) ?? [];
  let at = 0;
  const tagAt = (): number => (found[at]?.trim() === "" ? at + 1 : at);
  const takes = (tag: string): boolean => {
    if (found[tagAt()] !== tag) return false;
    at = tagAt() + 1;
    return true;
  };
  return {
    next: () => found[tagAt()],
    takes,
    take(...tags) {
      for (const tag of tags) if (!takes(tag)) throw unexpected(tag, found[tagAt()]);
    },
    text() {
      const text = found[at];
      if (text === undefined || text.startsWith("<")) return "";
      at += 1;
      return unescape(text);
    },
  };
}

const unexpected = (expected: string, found = "the end"): Error =>
  new Error(`expected ${expected}, found ${found.trim().slice(0, 60)}`);

function readValue(tokens: Tokens, depth: number): XmlRpcValue {
  if (depth > MAX_DEPTH) throw new Error(`values are nested deeper than ${MAX_DEPTH}`);
  if (tokens.takes("<value/>")) return "";
  tokens.take("<value>");
  const bare = tokens.text();
  // Without a type it is text.
  const value = tokens.next() === "</value>" ? bare : readTyped(tokens, depth);
  tokens.take("</value>");
  return value;
}

function readTyped(tokens: Tokens, depth: number): XmlRpcValue {
  if (tokens.takes("<nil/>")) return null;
  if (tokens.takes("<string/>")) return "";
  if (tokens.takes("<array>")) {
    const items: XmlRpcValue[] = [];
    if (!tokens.takes("<data/>")) {
      tokens.take("<data>");
      while (!tokens.takes("</data>")) items.push(readValue(tokens, depth + 1));
    }
    tokens.take("</array>");
    return items;
  }
  if (tokens.takes("<struct>")) {
    const members: [string, XmlRpcValue][] = [];
    while (!tokens.takes("</struct>")) {
      tokens.take("<member>", "<name>");
      const name = tokens.text();
      tokens.take("</name>");
      members.push([name, readValue(tokens, depth + 1)]);
      tokens.take("</member>");
    }
    return Object.fromEntries(members);
  }
  return readScalar(tokens);
}

function readScalar(tokens: Tokens): XmlRpcValue {
  const tag = tokens.next() ?? "";
  const type = tag.slice(1, -1);
  const read = Object.hasOwn(SCALARS, type) ? SCALARS[type] : undefined;
  if (!read) throw unexpected("a type of XML-RPC", tag);
  tokens.take(tag);
  const text = tokens.text();
  tokens.take(`</${type}>`);
  return read(text);
}

const SCALARS: Readonly<Record<string, (text: string) => XmlRpcValue>> = {
  string: (text) => text,
  int: Number,
  i4: Number,
  i8: Number,
  double: Number,
  boolean: (text) => text.trim() === "1",
  base64: (text) => Buffer.from(text, "base64"),
  "dateTime.iso8601": (text) => text,
};

const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};

function unescape(text: string): string {
  return text.replaceAll(/&([^;&]{0,10};?)/g, (whole, entity: string) => {
    const [, hex, decimal] = /^#(?:x([0-9a-f]{1,6})|(\d{1,7}));$/i.exec(entity) ?? [];
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    if (code <= 0x10ffff) return String.fromCodePoint(code);
    const character = entity.endsWith(";") ? ENTITIES[entity.slice(0, -1)] : undefined;
    if (character === undefined) throw new Error(`the entity ${whole} is not known`);
    return character;
  });
}
