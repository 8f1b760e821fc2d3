import { shellQuote } from "../shell-quote.ts";

/** What the helpers that ask about device and job answer. */
export interface DeviceFacts {
  readonly jobId: number;
  readonly targetIp: string | undefined;
  readonly targetMac: string | undefined;
  /** Pairs of method and id, in the order of `storage_info`. */
  readonly storage: readonly (readonly [string, string])[];
  readonly probeIps: readonly string[];
  readonly probeChannels: readonly string[];
}

/** Helpers that tell about the system, the device or the job, by name (TEST-SHELL.md 5). */
export const systemScripts = (facts: DeviceFacts): Readonly<Record<string, string>> => ({
  "lava-os-build": `if [ -r /etc/os-release ]; then
  name=$(. /etc/os-release && echo "$PRETTY_NAME")
  if [ -n "$name" ]; then
    echo "$name"
    exit 0
  fi
fi
if [ -s /etc/issue ]; then
  head -n 1 /etc/issue
elif command -v lsb_release >/dev/null; then
  lsb_release -d -s
elif [ -r /etc/debian_version ]; then
  echo "Debian $(cat /etc/debian_version)"
else
  busybox 2>&1 | head -n 1
fi
`,
  "lava-echo-ipv4": `if [ $# -ne 1 ]; then
  echo "Usage: lava-echo-ipv4 INTERFACE"
  exit 1
fi
if command -v ifconfig >/dev/null; then text=$(ifconfig "$1"); else text=$(ip addr show "$1"); fi
printf '%s\\n' "$text" | grep -o '[0-9]\\{1,3\\}\\(\\.[0-9]\\{1,3\\}\\)\\{3\\}' | head -n 1
`,
  "lava-target-ip": answers(facts.targetIp === undefined ? [] : [facts.targetIp]),
  "lava-target-mac": answers(facts.targetMac === undefined ? [] : [facts.targetMac]),
  "lava-target-storage": `found=1
show() {
  if [ -z "$wanted" ]; then
    printf '\\t%s\\t%s\\n' "$1" "$2"
  elif [ "$wanted" = "$1" ]; then
    printf '%s\\n' "$2"
  else
    return
  fi
  found=0
}
wanted=$1
${facts.storage.map(([method, id]) => `show ${shellQuote(method)} ${shellQuote(id)}\n`).join("")}exit "$found"
`,
  "lava-probe-ip": answers(facts.probeIps),
  "lava-probe-channel": answers(facts.probeChannels),
  "lava-self": answers([String(facts.jobId)]),
});

/** Prints a line for each value; without any the helper fails. */
const answers = (values: readonly string[]): string =>
  values.length === 0 ? "exit 1\n" : `printf '%s\\n' ${values.map(shellQuote).join(" ")}\n`;
