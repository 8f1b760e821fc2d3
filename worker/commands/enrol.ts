import { randomBytes, createHash } from "node:crypto";
import { rmSync } from "node:fs";
import path from "node:path";
import { faultOfLabUrl } from "#protocol/lab-url.ts";
import {
  enrolAnswerSchema,
  readCode,
  type EnrolAnswer,
  type EnrolRequest,
  type ReadCode,
} from "#protocol/enrol.ts";
import { check } from "../agent/check.ts";
import { readJsonFile } from "../host/atomic-file.ts";
import { HttpClient, HttpError } from "../host/http-client.ts";
import {
  exportSettings,
  readWorkerSettings,
  settingsFile,
  writePrivateFile,
  writeWorkerSettings,
} from "../host/settings-file.ts";
import { restartService } from "../install/service.ts";
import { parse, print, UsageError } from "./command-line.ts";

const TIMEOUT_MS = 30_000;

/** `pumice-worker enrol`: this machine becomes a worker by a one-time code. */
export async function enrol(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, { settings: { type: "string" } });
  const [url = "", ...words] = positionals;
  const code = readCode(words.join(" "));
  if (url === "") {
    throw new UsageError("enrol: expected URL CODE, as `pumice workers enrol` printed them");
  }
  const fault = faultOfLabUrl(url);
  if (fault !== undefined) throw new UsageError(`enrol: ${fault}`);
  if (!code) {
    throw new UsageError(
      "enrol: this is no code: expected WORKER:SECRET as `pumice workers enrol` printed it; is a part missing?",
    );
  }
  if (code.pin !== undefined && !/^https:/i.test(url)) {
    throw new UsageError("enrol: expected https://, for the code has the key of the server");
  }
  const file = values.settings ? path.resolve(values.settings) : settingsFile();
  const said = await enrolHere(url, code, file);
  print(said.map((line) => `${line}\n`).join(""));
  if (file === settingsFile()) print(`${restartService()}\n`);
  return 0;
}

/**
 * Makes a token, has it registered for the code, and writes token and settings beside each other. The token is kept
 * from before the first try, so that whoever lost the answer may ask again. Returns what to tell people, which the token
 * never is a part of.
 */
async function enrolHere(url: string, code: ReadCode, file: string): Promise<string[]> {
  const settings = readWorkerSettings(file);
  exportSettings(settings);
  const tokenFile = path.join(path.dirname(file), "token");
  const draftFile = `${tokenFile}.enrolling`;
  const token = tokenFor(code, draftFile);
  const answer = await register(url, code, token).catch((error: unknown) => {
    if (!(error instanceof HttpError)) throw error;
    if (error.status === 401) rmSync(draftFile, { force: true });
    throw inWords(error, url);
  });
  writePrivateFile(tokenFile, `${token}\n`);
  const keysFile = path.join(path.dirname(file), "release-keys.pem");
  if (answer.release_keys !== undefined) writePrivateFile(keysFile, answer.release_keys);
  writeWorkerSettings(file, {
    PUMICE_URL: url,
    // By their names alone: the folder may be an image's, and be moved.
    PUMICE_TOKEN_FILE: path.basename(tokenFile),
    // One of another server would keep this one out.
    PUMICE_PIN: code.pin,
    ...(answer.release_keys === undefined ? {} : { PUMICE_RELEASE_KEYS: path.basename(keysFile) }),
  });
  rmSync(draftFile, { force: true });
  return [
    `This machine is the worker ${answer.worker} of ${url}.`,
    `Its settings are in ${file}, its token in ${tokenFile}.`,
    ...(code.pin === undefined
      ? []
      : ["The server's key is pinned: with another key, enrol again."]),
    ...(url.startsWith("http:") ? ["Without https:// whoever listens learns the token."] : []),
  ];
}

/** The token that was made for this code before, or a fresh one, kept. */
function tokenFor({ worker, secret }: ReadCode, draftFile: string): string {
  const of = hash(`${worker}:${secret}`);
  const draft = readJsonFile(draftFile) as { of?: unknown; token?: unknown } | undefined;
  if (draft?.of === of && typeof draft.token === "string") return draft.token;
  const token = `pumice_${randomBytes(8).toString("hex")}_${randomBytes(32).toString("base64url")}`;
  writePrivateFile(draftFile, JSON.stringify({ of, token }));
  return token;
}

async function register(
  url: string,
  { worker, secret, pin }: ReadCode,
  token: string,
): Promise<EnrolAnswer> {
  const env = { ...process.env, PUMICE_URL: url, PUMICE_PIN: pin };
  const http = new HttpClient(url, { env });
  const json: EnrolRequest = {
    worker,
    secret,
    token_id: token.split("_")[1] ?? "",
    token_hash: hash(token),
  };
  try {
    const request = { method: "POST", url: "api/v1/enrol", json, timeoutMs: TIMEOUT_MS } as const;
    return check(enrolAnswerSchema, await http.request(request), "the answer to enrol");
  } finally {
    http.close();
  }
}

/** The command's own failure, which no stack explains. */
function inWords(error: HttpError, url: string): Error {
  const { status, message } = error;
  if (status === 404) return new Error(`${url} is no Pumice that knows codes: ${message}`);
  const hint = status === 0 || status >= 500 ? "; the same line may be tried again" : "";
  return new Error(`${message}${hint}`, { cause: error });
}

const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
