import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { ddCommand } from "../../worker/actions/deploy/dd-image.ts";

const URL = "http://10.0.0.1:80/tmp/a/b.img";
const wget = { tool: "/usr/bin/wget", options: "-O - {DOWNLOAD_URL}", prompt: "HTTP request" };

test("the download tool is piped into dd, on the disk that the name leads to", () => {
  expect(ddCommand({ to: "usb", download: wget }, "usb-Stick-0:0", URL)).toBe(
    `(/usr/bin/wget -O - ${URL} || echo "pumice-download-code=$?" >&2) | ` +
      `dd of="$(readlink -f /dev/disk/by-id/usb-Stick-0:0)" bs=4M`,
  );
});

test("a writer stands in dd's place, or alone, with the disk as one word", () => {
  const writer = {
    tool: "/usr/bin/bmaptool",
    options: "copy {DOWNLOAD_URL} {DEVICE}",
    prompt: "x",
  };
  const disk = `"$(readlink -f '/dev/disk/by-id/my stick')"`;
  expect(ddCommand({ to: "usb", writer }, "my stick", URL)).toBe(
    `/usr/bin/bmaptool copy ${URL} ${disk}`,
  );
  const flags = { flags: "oflag=direct" };
  expect(ddCommand({ to: "usb", download: wget, tool: flags }, "x", URL)).toMatch(
    / bs=4M oflag=direct$/,
  );
});

test("a failed download shows, though the writer is content, in any POSIX shell", () => {
  const typed = (tool: string): string => {
    const writer = { tool: "/bin/cat", options: "-", prompt: "x" };
    const command = ddCommand({ to: "usb", download: { ...wget, tool }, writer }, "x", URL);
    return execFileSync("/bin/sh", ["-c", `{ ${command}; } 2>&1; echo $?`], { encoding: "utf8" });
  };
  expect(typed("/bin/echo")).toBe(`-O - ${URL}\n0\n`);
  expect(typed("/bin/false")).toBe("pumice-download-code=1\n0\n");
});

test.each([
  [{ download: { ...wget, tool: "wget" } }, "download.tool 'wget': expected the absolute path"],
  [{ download: { ...wget, prompt: "" } }, "download.prompt ''"],
  [{ writer: { tool: "/bin/x", prompt: "x" } }, "writer.options 'undefined'"],
  [{ download: wget, tool: { prompts: ["("] } }, "Invalid regular expression"],
  [{}, "download is missing"],
])("tools that aren't whole are refused before anything runs (%#)", (block, message) => {
  expect(() => ddCommand({ to: "usb", ...block }, "x", URL)).toThrow(message);
});
