import type { XmlRpcStruct, XmlRpcValue } from "./xml-value.ts";

const HEAD = "<?xml version='1.0'?>\n<methodResponse>\n";

/** The answer to a call. */
export const responseXml = (value: XmlRpcValue): string =>
  `${HEAD}<params>\n<param>\n${valueXml(value)}\n</param>\n</params>\n</methodResponse>\n`;

/** The answer to a call that failed. */
export const faultXml = (code: number, message: string): string =>
  `${HEAD}<fault>\n${valueXml({ faultCode: code, faultString: message })}\n</fault>\n</methodResponse>\n`;

function valueXml(value: XmlRpcValue): string {
  return `<value>${bare(value)}</value>`;
}

function bare(value: XmlRpcValue): string {
  if (value === null) return "<nil/>";
  if (typeof value === "string") return `<string>${escaped(value)}</string>`;
  if (typeof value === "boolean") return `<boolean>${value ? 1 : 0}</boolean>`;
  if (typeof value === "number") return numberXml(value);
  if (value instanceof Uint8Array) return `<base64>\n${base64(value)}\n</base64>`;
  if (value instanceof Date) {
    const time = value.toISOString().slice(0, 19).replaceAll("-", "");
    return `<dateTime.iso8601>${time}</dateTime.iso8601>`;
  }
  if (isList(value))
    return `<array><data>\n${value.map((one) => `${valueXml(one)}\n`).join("")}</data></array>`;
  const members = Object.entries(value).flatMap(([name, one]) =>
    one === undefined
      ? []
      : [`<member>\n<name>${escaped(name)}</name>\n${valueXml(one)}\n</member>\n`],
  );
  return `<struct>\n${members.join("")}</struct>`;
}

function numberXml(value: number): string {
  if (!Number.isSafeInteger(value)) return `<double>${String(value)}</double>`;
  const tag = value === (value | 0) ? "int" : "i8";
  return `<${tag}>${value}</${tag}>`;
}

const isList = (value: readonly XmlRpcValue[] | XmlRpcStruct): value is readonly XmlRpcValue[] =>
  Array.isArray(value);

/** What XML can't have, such as a console's escape characters, is U+FFFD: else no client could read the answer. */
const escaped = (text: string): string =>
  text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    // As it is, a reader would make a line feed of it.
    .replaceAll("\r", "&#13;");

/** In pieces: a call with all bytes of a log as its arguments would be too much. */
function base64(bytes: Uint8Array): string {
  const pieces: string[] = [];
  // A multiple of 3, so that no piece but the last is padded.
  const size = 0x6000;
  for (let at = 0; at < bytes.length; at += size) {
    pieces.push(btoa(String.fromCharCode(...bytes.subarray(at, at + size))));
  }
  return pieces.join("");
}
