/** What an AWS service of XML answers, as data: arrays are repeated elements. */
export type Xml = { readonly [name: string]: Xml | readonly Xml[] | string };

export class FakeRefusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const xmlOf = (name: string, content: Xml | readonly Xml[] | string): string =>
  Array.isArray(content)
    ? content.map((part: Xml) => xmlOf(name, part)).join("")
    : typeof content === "string"
      ? `<${name}>${escaped(content)}</${name}>`
      : `<${name}>${Object.entries(content as Xml)
          .map(([inner, value]) => xmlOf(inner, value))
          .join("")}</${name}>`;

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
