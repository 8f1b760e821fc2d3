import sax from "sax";
import { Fault, INTERNAL } from "./fault.ts";
import { MAX_DEPTH, MAX_VALUES, type XmlRpcValue } from "./xml-value.ts";

export interface MethodCall {
  readonly name: string;
  readonly params: readonly XmlRpcValue[];
}

/** An element that is open, and what it has so far. */
interface Node {
  readonly tag: string;
  text: string;
  /** Of a `value`, `array` ...: the values inside, in order. */
  readonly values: XmlRpcValue[];
  /** Of a `struct`, and of a `member` its name. */
  readonly members: [string, XmlRpcValue][];
  name?: string;
}

/** What may stand in what. */
const PARENTS: Readonly<Record<string, readonly string[]>> = {
  methodCall: [""],
  methodName: ["methodCall"],
  params: ["methodCall"],
  param: ["params"],
  value: ["param", "data", "member"],
  struct: ["value"],
  member: ["struct"],
  name: ["member"],
  array: ["value"],
  data: ["array"],
};

/**
 * A method call as a client sends it. A document type is refused, so that there are no entities but XML's own five; depth and
 * number of values are bounded. Throws a fault.
 */
export function readCall(xml: string): MethodCall {
  const parser = sax.parser(true, { position: false });
  const open: Node[] = [{ tag: "", text: "", values: [], members: [] }];
  let count = 0;
  let call: MethodCall | undefined;
  let name: string | undefined;
  const top = (): Node => open.at(-1) as Node;
  parser.onerror = (error) => {
    throw undecodable(error.message.split("\n")[0] ?? "");
  };
  parser.ondoctype = () => {
    throw undecodable("a document type is not allowed");
  };
  parser.onopentag = ({ name: tag }) => {
    const parents = PARENTS[tag] ?? (isScalar(tag) ? ["value"] : []);
    if (!parents.includes(top().tag)) {
      throw undecodable(`<${tag}> in ${top().tag === "" ? "the document" : `<${top().tag}>`}`);
    }
    if (tag === "value" && (count += 1) > MAX_VALUES) throw undecodable("too many values");
    // Each value is a few elements deep.
    if (open.length > MAX_DEPTH * 4) throw undecodable("values too deep in each other");
    open.push({ tag, text: "", values: [], members: [] });
  };
  const onText = (text: string) => void (top().text += text);
  parser.ontext = onText;
  parser.oncdata = onText;
  parser.onclosetag = () => {
    const node = open.pop() as Node;
    const parent = top();
    if (node.tag === "methodName") name = node.text.trim();
    else if (node.tag === "name") parent.name = node.text;
    else if (node.tag === "member") parent.members.push([node.name ?? "", oneOf(node)]);
    else if (node.tag === "param") parent.values.push(oneOf(node));
    else if (node.tag === "params" || node.tag === "data") parent.values.push(...node.values);
    else if (node.tag === "value")
      parent.values.push(node.values.length > 0 ? oneOf(node) : node.text);
    else if (node.tag === "array") parent.values.push(node.values);
    else if (node.tag === "struct") parent.values.push(asStruct(node.members));
    else if (node.tag === "methodCall") call = { name: name ?? "", params: node.values };
    else parent.values.push(scalar(node.tag, node.text));
  };
  parser.write(xml).close();
  if (!call || call.name === "") throw undecodable("expected a methodCall with a methodName");
  return call;
}

function oneOf({ tag, values }: Node): XmlRpcValue {
  const [value] = values;
  if (values.length !== 1 || value === undefined) throw undecodable(`<${tag}> without one value`);
  return value;
}

function asStruct(members: [string, XmlRpcValue][]): XmlRpcValue {
  const struct: Record<string, XmlRpcValue> = Object.create(null) as Record<string, XmlRpcValue>;
  for (const [name, value] of members) struct[name] = value;
  return struct;
}

const SCALARS = ["i4", "int", "i8", "boolean", "string", "double", "dateTime.iso8601", "base64"];
const isScalar = (tag: string): boolean => SCALARS.includes(tag) || tag === "nil";

function scalar(tag: string, raw: string): XmlRpcValue {
  if (tag === "string") return raw;
  const text = raw.trim();
  if (tag === "nil" && text === "") return null;
  if (/^(i4|int|i8)$/.test(tag) && /^[+-]?\d{1,19}$/.test(text)) return Number(text);
  if (tag === "boolean" && /^[01]$/.test(text)) return text === "1";
  if (tag === "double" && text !== "" && Number.isFinite(Number(text))) return Number(text);
  if (tag === "base64") return bytesOf(text);
  if (tag === "dateTime.iso8601") {
    const [, year, month, day, time] =
      /^(\d{4})-?(\d\d)-?(\d\d)T(\d\d:\d\d:\d\d)Z?$/.exec(text) ?? [];
    const date = new Date(`${year}-${month}-${day}T${time}Z`);
    if (!Number.isNaN(date.getTime())) return date;
  }
  throw undecodable(`<${tag}> with ${JSON.stringify(text.slice(0, 40))}`);
}

function bytesOf(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text.replace(/\s/g, "")), (char) => char.charCodeAt(0));
  } catch {
    throw undecodable("<base64> with what is no base64");
  }
}

const undecodable = (why: string): Fault => new Fault(INTERNAL, `Unable to decode request: ${why}`);
