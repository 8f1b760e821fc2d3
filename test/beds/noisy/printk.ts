import { between, pick, type Random } from "./random.ts";

/**
 * What kernels say at any time, made up. Some hold what a prompt or a signal may be taken for; none is a panic or the
 * like, which would be a result.
 */
const MESSAGES: readonly [string, ...string[]] = [
  "random: crng init done",
  "usb 1-1.3: new high-speed USB device number 7 using xhci_hcd",
  "usb 1-1.3: New USB device found, idVendor=1d6b, idProduct=0104, bcdDevice= 1.00",
  "mmc0: new ultra high speed SDR104 SDHC card at address aaaa",
  "mmcblk0: mmc0:aaaa SL16G 14.8 GiB",
  "macb ff0e0000.ethernet eth0: Link is Up - 1Gbps/Full - flow control off",
  "IPv6: ADDRCONF(NETDEV_CHANGE): eth0: link becomes ready",
  "EXT4-fs (mmcblk0p2): re-mounted. Opts: (null)",
  "audit: type=1400 audit(1700000000.123:4): apparmor='STATUS' operation='profile_load'",
  "systemd[1]: Started Getty on tty1, login: enabled",
  "i2c i2c-0: transfer # 3 timed out, retrying",
  "cpufreq: CPU0: freq 1200000 kHz > max",
  "thermal thermal_zone0: <critical> trip at 95 C",
  "firmware: loading <brcm/brcmfmac43430-sdio.txt>",
  "TEST_CASE_ID=none RESULT=pass is what a driver may say",
];

/** One message of the kernel, or those of two CPUs at once, each with its line's end. */
export function printk(random: Random): Buffer {
  if (random() < 0.9) return Buffer.from(line(random));
  return Buffer.from(interleaved(random, line(random), line(random)));
}

function line(random: Random): string {
  const seconds = (random() * 5000).toFixed(6).padStart(12);
  const stamp = pick(random, [`[${seconds}] `, `[${seconds}] `, `[${seconds}][    T1] `, ""]);
  const level = pick(random, ["", "", "", `<${between(random, 0, 7)}>`]);
  // Some drivers of consoles begin a line anew where another's has not ended.
  const before = random() < 0.15 ? "\r\n" : "";
  return `${before}${level}${stamp}${pick(random, MESSAGES)}\r\n`;
}

/** Two texts at once, a few characters of each in turn. */
function interleaved(random: Random, one: string, other: string): string {
  let text = "";
  let [next, then] = [one, other];
  while (next !== "" || then !== "") {
    const length = between(random, 1, 24);
    text += next.slice(0, length);
    [next, then] = [then, next.slice(length)];
  }
  return text;
}
