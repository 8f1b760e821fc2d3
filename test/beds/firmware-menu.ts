/**
 * Scripts for GRUB. A PC's firmware has no menu with numbered items as boards with ARM's have; GRUB, which is real and
 * talks through the firmware's console, plays it: it prints what such a firmware prints and reads what is typed, line end
 * by line end.
 */

const console = `terminal_input console
terminal_output console
set pager=0
`;

/** GRUB itself: a menu that waits for a key, and its command line. */
export const GRUB_MENU = `${console}set timeout=20
menuentry "Nothing to start" { true; }
`;

/** Reads a line that ends with carriage return and newline; the key that interrupted the firmware may be in front. */
const functions = `function ask {
  echo -n "$1 "
  read answer
  read rest
  echo ""
  regexp --set=1:answer '^ *(.*)' "$answer"
}
`;

const countdown = `echo "The default boot selection will start in 10 seconds"
sleep 1
`;

/** A menu whose items are GRUB, from the file \`loader.cfg\` beside this script, and the program that called it. */
export const SHORT_MENU = `${console}${functions}${countdown}
while true; do
  echo "[1] Boot Manager"
  echo "[2] LAVA PXE Grub"
  echo "[3] Shell"
  ask "Start:"
  if [ "$answer" = 2 ]; then configfile $prefix/loader.cfg; fi
  if [ "$answer" = 3 ]; then exit; fi
done
`;

/** A boot manager in which an entry is removed, added by answering question after question, and started. */
export const BOOT_MANAGER = `${console}${functions}
set entry="LAVA NFS Test Image"
${countdown}
function add {
  echo "[1] Firmware Volume"
  echo "[2] TFTP on MAC Address: $net_default_mac"
  ask "Select the Boot Device:"
  if [ "$answer" != 2 ]; then return; fi
  ask "Get the IP address from DHCP:"
  ask "Get the TFTP server IP address:"
  set server="$answer"
  ask "File path of the EFI Application or the kernel :"
  set kernel="$answer"
  ask "Is an EFI Application? [y/n]"
  ask "Add an initrd: [y/n]"
  set initrd=""
  if [ "$answer" = y ]; then
    ask "File path of the initrd :"
    set initrd="$answer"
  fi
  ask "Arguments to pass to the binary:"
  set arguments="$answer"
  ask "Description for this new Entry:"
  set entry="$answer"
}
function manager {
  while true; do
    echo "[1] Add Boot Device Entry"
    echo "[2] Remove Boot Device Entry"
    echo "[3] Return to main menu"
    ask "Choice:"
    if [ "$answer" = 1 ]; then add; fi
    if [ "$answer" = 2 ]; then
      echo "[1] $entry"
      ask "Delete entry:"
      if [ "$answer" = 1 ]; then set entry=""; fi
    fi
    if [ "$answer" = 3 ]; then return; fi
  done
}
function start {
  linux (tftp,$server)/$kernel $arguments
  if [ -n "$initrd" ]; then initrd (tftp,$server)/$initrd; fi
  echo "Loaded: LinuxImage"
  boot
}
while true; do
  if [ -n "$entry" ]; then
    echo "[1] $entry"
    echo "[2] Shell"
    echo "[3] Boot Manager"
    ask "Start:"
    if [ "$answer" = 1 ]; then start; fi
    if [ "$answer" = 3 ]; then manager; fi
  else
    echo "[1] Shell"
    echo "[2] Boot Manager"
    ask "Start:"
    if [ "$answer" = 2 ]; then manager; fi
  fi
done
`;
