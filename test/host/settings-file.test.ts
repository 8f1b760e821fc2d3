import {
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  exportSettings,
  readWorkerSettings,
  writeWorkerSettings,
} from "../../worker/host/settings-file.ts";
import { lacking } from "../support/lacking.ts";

describe("the worker's settings", () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "settings-"));
    file = path.join(folder, "worker.env");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("are empty without a file", () => {
    expect(readWorkerSettings(file, {})).toEqual({ file, values: {}, unknown: [] });
  });

  it("come from the file, each with the line it stands in", () => {
    writeFileSync(file, "# lab\r\nPUMICE_URL = https://lab.example/a=b \n\nPUMICE_NAME=\n");
    expect(readWorkerSettings(file, {}).values).toEqual({
      PUMICE_URL: { value: "https://lab.example/a=b", from: `${file}:2` },
    });
  });

  it("are taken from the environment first, unless that has an empty text", () => {
    writeFileSync(file, "PUMICE_URL=https://file\nPUMICE_NAME=one\n");
    const { values } = readWorkerSettings(file, { PUMICE_URL: "https://env", PUMICE_NAME: "" });
    expect(values.PUMICE_URL).toEqual({ value: "https://env", from: "the environment" });
    expect(values.PUMICE_NAME?.value).toBe("one");
  });

  it("know proxies in both cases, and give them to what is started in both", () => {
    writeFileSync(file, "https_proxy=http://file:1\nHTTP_PROXY=http://file:2\n");
    const settings = readWorkerSettings(file, { http_proxy: "http://env:3" });
    const env: NodeJS.ProcessEnv = {};
    exportSettings(settings, env);
    expect(env).toEqual({
      HTTPS_PROXY: "http://file:1",
      https_proxy: "http://file:1",
      HTTP_PROXY: "http://env:3",
      http_proxy: "http://env:3",
    });
  });

  it("name files from the settings file's own folder", () => {
    writeFileSync(file, "PUMICE_TOKEN_FILE=token\nPUMICE_CA_FILE=/etc/ca.pem\n");
    const { values } = readWorkerSettings(file, {});
    expect(values.PUMICE_TOKEN_FILE?.value).toBe(path.join(folder, "token"));
    expect(values.PUMICE_CA_FILE?.value).toBe("/etc/ca.pem");
  });

  it("say where a line is that is none", () => {
    writeFileSync(file, "PUMICE_NAME=a\nexport PUMICE_URL=x\n");
    expect(() => readWorkerSettings(file, {})).toThrow(`${file}:2: expected KEY=VALUE`);
    writeFileSync(file, 'PUMICE_URL="https://lab"\n');
    expect(() => readWorkerSettings(file, {})).toThrow("PUMICE_URL: write it without quotes");
  });

  it("tell names that nobody knows", () => {
    writeFileSync(file, "PUMICE_ULR=https://lab\n");
    expect(readWorkerSettings(file, {}).unknown).toEqual([`${file}:1: PUMICE_ULR`]);
  });

  it("are written beside what somebody wrote by hand, for the owner only", () => {
    writeFileSync(file, "# mine\nPUMICE_URL=https://old\nPUMICE_NAME=board\n", { mode: 0o644 });
    writeWorkerSettings(file, { PUMICE_URL: "https://new", PUMICE_PIN: "abc=" });
    expect(readFileSync(file, "utf8")).toBe(
      "# mine\nPUMICE_URL=https://new\nPUMICE_NAME=board\nPUMICE_PIN=abc=\n",
    );
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it.skipIf(lacking(process.getuid?.() !== 0, "it needs root"))(
    "of another user's folder are no link that root follows",
    () => {
      const secret = path.join(folder, "secret");
      writeFileSync(secret, "PASSWORD=root's\n", { mode: 0o600 });
      const own = path.join(folder, "own");
      mkdirSync(own);
      chownSync(own, 4711, 4711);
      const link = path.join(own, "worker.env");
      symlinkSync(secret, link);
      for (const use of [readWorkerSettings, writeWorkerSettings]) {
        expect(() => use(link, {})).toThrow(/worker\.env/);
      }
      rmSync(link);
      linkSync(secret, link);
      expect(() => writeWorkerSettings(link, {})).toThrow(`${link} is not its folder's owner's`);
      rmSync(link);
      writeWorkerSettings(link, { PUMICE_NAME: "one" });
      writeWorkerSettings(link, { PUMICE_NAME: "two" });
      expect(readFileSync(link, "utf8")).toMatch(/^PUMICE_NAME=two$/m);
    },
  );

  it("make their folder, and hold no value that would be another line", () => {
    const fresh = path.join(folder, "a/b/worker.env");
    writeWorkerSettings(fresh, { PUMICE_URL: "https://new" });
    expect(readWorkerSettings(fresh, {}).values.PUMICE_URL?.value).toBe("https://new");
    const evil = "https://x\nPUMICE_CA_FILE=/tmp/x";
    expect(() => writeWorkerSettings(fresh, { PUMICE_URL: evil })).toThrow("can't be kept");
  });
});
