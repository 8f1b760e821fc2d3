/** Rules that give the worker's user what boards show by USB, and hints how to name what is a serial console. */
export const udevRules = (
  user: string,
): string => `# Written by "pumice-worker install". Change what you like: a changed file is kept.

# Boards that wait for fastboot, or for firmware by DFU, belong to the worker.
SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", ENV{ID_USB_INTERFACES}=="*:ff4203:*", OWNER="${user}", MODE="0660"
SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", ENV{ID_USB_INTERFACES}=="*:fe0102:*", OWNER="${user}", MODE="0660"

# Serial adapters belong to dialout, of which the worker is a member. ttyUSB0 is whichever was seen first: use the
# names in /dev/serial/by-id, or one of your own, by the adapter's serial number (udevadm info -a /dev/ttyUSB0):
#SUBSYSTEM=="tty", SUBSYSTEMS=="usb", ATTRS{serial}=="A50285BI", SYMLINK+="ttyPanda"
# An adapter without a number is known by the socket that it is in (udevadm info /dev/ttyUSB0 | grep ID_PATH=):
#SUBSYSTEM=="tty", ENV{ID_PATH}=="platform-fd500000.pcie-usb-0:1.2:1.0", SYMLINK+="ttyPanda"

# ModemManager types into every new serial port, which a board's boot loader takes for a key that was pressed:
#SUBSYSTEM=="tty", SUBSYSTEMS=="usb", ENV{ID_MM_PORT_IGNORE}="1"
`;
