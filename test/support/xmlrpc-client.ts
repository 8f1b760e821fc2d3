import { responseXml } from "../../control-plane/lava/xmlrpc/write-response.ts";
import { readCall } from "../../control-plane/lava/xmlrpc/read-call.ts";
import type { XmlRpcValue } from "../../control-plane/lava/xmlrpc/xml-value.ts";
import type { EmbeddedLab } from "./embedded-lab.ts";

/** What a call was answered: its value, or the fault. */
export type Answered = { value: XmlRpcValue } | { code: number; text: string };

/** A method call as a client sends it. */
export function callXml(method: string, params: readonly XmlRpcValue[]): string {
  const values = params.map((param) => {
    const [, value] = /<param>\s*([^]*)\s*<\/param>/.exec(responseXml(param)) ?? [];
    return `<param>${value}</param>`;
  });
  return `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>${values.join("")}</params></methodCall>`;
}

/** The answer in a response. */
export function readAnswer(xml: string): Answered {
  const isFault = xml.includes("<fault>");
  const body = xml
    .replaceAll(/<\/?methodResponse>/g, "")
    .replace("<?xml version='1.0'?>", "")
    .replace("<fault>", "<params><param>")
    .replace("</fault>", "</param></params>");
  const { params } = readCall(`<methodCall><methodName>x</methodName>${body}</methodCall>`);
  const [value = null] = params;
  if (!isFault) return { value };
  const { faultCode, faultString } = value as { faultCode: number; faultString: string };
  return { code: faultCode, text: faultString };
}

/** Calls as somebody of the lab: `user` with their token, nobody for `null`. */
export function xmlRpcClient(lab: EmbeddedLab) {
  const post = (body: string, who: { user: string; token: string } | null) =>
    lab.app.request("/RPC2", {
      method: "POST",
      headers: { "content-type": "text/xml", ...(who ? basic(who.user, who.token) : {}) },
      body,
    });
  const ask = async (
    who: { user: string; token: string } | null,
    method: string,
    ...params: XmlRpcValue[]
  ): Promise<Answered> => {
    const response = await post(callXml(method, params), who);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status} ${text}`);
    await lab.settled();
    return readAnswer(text);
  };
  const admin = { user: "admin", token: lab.adminToken };
  return {
    post,
    ask,
    admin,
    /** The administrator's call; throws when it is refused. */
    async call<T = XmlRpcValue>(method: string, ...params: XmlRpcValue[]): Promise<T> {
      const answer = await ask(admin, method, ...params);
      if ("code" in answer) throw new Error(`${method}: ${answer.code} ${answer.text}`);
      return plain(answer.value) as T;
    },
    /** The fault of the administrator's call, as `404 text`. */
    async fault(method: string, ...params: XmlRpcValue[]): Promise<string> {
      const answer = await ask(admin, method, ...params);
      return "code" in answer ? `${answer.code} ${answer.text}` : "no fault";
    },
  };
}

export const basic = (user: string, token: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${user}:${token}`).toString("base64")}`,
});

/** As a client in a dynamic language has it: structs as plain objects, files as text. */
function plain(value: XmlRpcValue): unknown {
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (Array.isArray(value)) return (value as XmlRpcValue[]).map(plain);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value as Record<string, XmlRpcValue>).map(([name, one]) => [name, plain(one)]),
  );
}
