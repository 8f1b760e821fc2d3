import { once } from "node:events";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type http from "node:http";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { openNetwork } from "../../host/network/network.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";

/** What an instance is made of; `model` is Arm Virtual Hardware's flavor. */
export interface AvhInstance {
  readonly name: string;
  readonly project: string;
  readonly model: string;
  readonly version: string;
  readonly image: string;
  readonly bootArgs: string | undefined;
  readonly restoreBootArgs: string | undefined;
}

/** Arm Virtual Hardware's web API (Corellium's), logged in. Every call fails with a JobFailure Infrastructure. */
export interface AvhApi {
  /** The id of the project with this name. */
  project(name: string): Promise<string>;
  /** Uploads a firmware package; the id of the image. */
  upload(file: string, name: string, project: string): Promise<string>;
  /** The id of a new instance, which starts at once. */
  create(instance: AvhInstance): Promise<string>;
  /** Resolves when the instance runs. */
  untilOn(instance: string): Promise<void>;
  /** The address of the console's web socket, good for one use. */
  consoleUrl(instance: string): Promise<string>;
  /** One that is gone is well. */
  remove(kind: "images" | "instances", id: string): Promise<void>;
}

const POLL_MS = 1000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** An instance in one of these never comes up. */
const BROKEN = ["error", "deleting"];

/** Logs in with the API token that the job brings in its secrets. */
export async function avhLogin(
  endpoint: string,
  apiToken: string,
  signal: AbortSignal,
): Promise<AvhApi> {
  const login = await call({ endpoint, signal }, "POST", "/v1/auth/login", { apiToken });
  const token = textOf(login, "token", "the login");
  const session = { endpoint, signal, token };
  return {
    project: async (name) => {
      const projects = await call(session, "GET", "/v1/projects");
      const found = (Array.isArray(projects) ? projects : []).find(
        (project: { name?: unknown }) => project.name === name,
      );
      if (found) return textOf(found, "id", `project ${name}`);
      throw new JobFailure("Infrastructure", `AVH has no project '${name}' for this token`);
    },
    upload: async (file, name, project) =>
      textOf(await upload(session, file, { name, project }), "id", "the upload"),
    create: async ({ name, project, model, version, image, bootArgs, restoreBootArgs }) => {
      const bootOptions = { bootArgs, restoreBootArgs };
      const body = { name, project, flavor: model, os: version, fwpackage: image, bootOptions };
      return textOf(await call(session, "POST", "/v1/instances", body), "id", "the new instance");
    },
    untilOn: (instance) => untilOn(session, instance),
    consoleUrl: async (instance) => {
      const answer = await call(session, "GET", `/v1/instances/${idOf(instance)}/console`);
      const url = textOf(answer, "url", "the console");
      if (/^wss?:\/\//.test(url)) return url;
      throw new JobFailure("Infrastructure", `AVH's console is at '${url}': no web socket`);
    },
    // What was made is removed when the job is cancelled too.
    remove: (kind, id) => remove({ ...session, signal: new AbortController().signal }, kind, id),
  };
}

interface Session {
  readonly endpoint: string;
  readonly signal: AbortSignal;
  readonly token?: string;
}

async function untilOn(session: Session, instance: string): Promise<void> {
  for (;;) {
    const answer = await call(session, "GET", `/v1/instances/${idOf(instance)}`);
    const state = textOf(answer, "state", "the instance");
    if (state === "on") return;
    if (BROKEN.includes(state)) {
      const { error } = answer as { error?: unknown };
      const why = typeof error === "string" ? `: ${error}` : "";
      throw new JobFailure("Infrastructure", `AVH's instance is in the state ${state}${why}`);
    }
    await sleep(POLL_MS, undefined, { signal: session.signal }).catch(() => {});
    session.signal.throwIfAborted();
  }
}

/** Images moved to version 2 of the API; an endpoint has one of the two. */
async function remove(session: Session, kind: string, id: string): Promise<void> {
  for (const version of ["v1", "v2"]) {
    const { status } = await send(session, "DELETE", `/${version}/${kind}/${idOf(id)}`);
    if (status < 300) return;
    if (status !== 404) throw refused("DELETE", `/${version}/${kind}`, status, "");
  }
}

const idOf = (id: string): string => encodeURIComponent(id);

async function call(
  session: Session,
  method: string,
  where: string,
  body?: unknown,
): Promise<unknown> {
  const json = body === undefined ? undefined : JSON.stringify(body);
  const { status, text } = await send(
    session,
    method,
    where,
    json === undefined ? {} : { "content-type": "application/json" },
    json,
  );
  return answerOf(method, where, status, text);
}

function answerOf(method: string, where: string, status: number, text: string): unknown {
  if (status < 200 || status > 299) throw refused(method, where, status, text);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new JobFailure("Infrastructure", `AVH: ${method} ${where}: the answer is not JSON`);
  }
}

function refused(method: string, where: string, status: number, text: string): JobFailure {
  const reason = text.replace(/[^\x20-\x7e]+/g, " ").slice(0, 200);
  return new JobFailure("Infrastructure", `AVH: ${method} ${where}: ${status} ${reason}`.trimEnd());
}

/** A form with the file's bytes in it, read as they are sent: images have gigabytes. */
async function upload(
  session: Session,
  file: string,
  { name, project }: { name: string; project: string },
): Promise<unknown> {
  const boundary = `pumice-${randomUUID()}`;
  const field = (key: string, value: string): string =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${key}"\r\n\r\n${value}\r\n`;
  const head =
    field("type", "fwpackage") +
    field("encoding", "plain") +
    field("encapsulated", "true") +
    field("name", name) +
    field("project", project) +
    `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: application/zip\r\n\r\n`;
  const tail = `\r\n--${boundary}--\r\n`;
  const { size } = await stat(file);
  const length = Buffer.byteLength(head) + size + Buffer.byteLength(tail);
  const headers = {
    "content-type": `multipart/form-data; boundary=${boundary}`,
    "content-length": String(length),
  };
  const { status, text } = await send(session, "POST", "/v1/images", headers, async (request) => {
    request.write(head);
    for await (const part of createReadStream(file)) {
      if (!request.write(part)) await once(request, "drain", { signal: session.signal });
    }
    request.end(tail);
  });
  return answerOf("POST", "/v1/images", status, text);
}

type Body = string | ((request: http.ClientRequest) => Promise<void>);

function send(
  { endpoint, signal, token }: Session,
  method: string,
  where: string,
  headers: Readonly<Record<string, string>> = {},
  body?: Body,
): Promise<{ status: number; text: string }> {
  signal.throwIfAborted();
  const url = new URL(endpoint.replace(/\/+$/, "") + where);
  const network = openNetwork({ keepAlive: false, env: process.env });
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => {
      if (signal.aborted) return reject(signal.reason as Error);
      const message = `AVH: ${method} ${where}: ${cause.message}`;
      reject(new JobFailure("Infrastructure", message, { cause }));
    };
    const request = network.request(url, {
      method,
      headers: { accept: "application/json", ...authorization, ...headers },
      signal,
    });
    request.on("error", fail);
    request.on("response", (response) => {
      textOfAnswer(response).then(
        (text) => resolve({ status: response.statusCode ?? 0, text }),
        fail,
      );
    });
    if (typeof body === "function") void body(request).catch(fail);
    else request.end(body);
  });
}

async function textOfAnswer(response: http.IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.byteLength;
    if (size > MAX_ANSWER_BYTES) throw new Error("the answer is too long");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function textOf(answer: unknown, key: string, what: string): string {
  const value = (answer as Record<string, unknown> | null)?.[key];
  if (typeof value === "string" && value !== "") return value;
  throw new JobFailure("Infrastructure", `AVH: ${what} has no ${key}`);
}
