import type { EmbeddedLab } from "./embedded-lab.ts";

export interface Asked {
  method?: string;
  /** The administrator's when not given; null for none. */
  token?: string | null;
  /** Text is a form unless `type` says otherwise, anything else JSON. */
  body?: string | object;
  type?: string;
}

/** What some answer or other has. */
export interface Row {
  id: number;
  name: string;
  hostname: string;
  resource_uri: string;
}
export interface Body extends Row {
  count: number;
  next: string | null;
  results: Row[];
  message: string;
  job_ids: number[];
  definition: string;
  original_definition: string;
  token: string;
  tags: number[];
}

/** Asks a lab's REST API as a script does: `where` is the path under `/api/v0.2/`. */
export function restClient(lab: () => EmbeddedLab) {
  const ask = async (where: string, { token, body, type, method }: Asked = {}) => {
    const isText = typeof body === "string";
    const form = isText ? "application/x-www-form-urlencoded" : "application/json";
    const sent = token === undefined ? lab().adminToken : token;
    return lab().app.request(`/api/v0.2/${where}`, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: {
        ...(sent === null ? {} : { authorization: `Token ${sent}` }),
        ...(body === undefined ? {} : { "content-type": type ?? form }),
      },
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
    });
  };
  /** The status, and the body as JSON; null where there is none. */
  const json = async (where: string, asked: Asked = {}): Promise<[number, Body]> => {
    const answer = await ask(where, asked);
    const text = await answer.text();
    return [answer.status, (text === "" ? null : JSON.parse(text)) as Body];
  };
  return { ask, json };
}
