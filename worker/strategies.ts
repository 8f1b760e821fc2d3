import { avhBoot } from "./actions/boot/avh.ts";
import { bareboxBoot } from "./actions/boot/barebox.ts";
import { bootloaderBoot } from "./actions/boot/bootloader.ts";
import { cmsisDapBoot } from "./actions/boot/cmsis-dap.ts";
import { depthchargeBoot } from "./actions/boot/depthcharge.ts";
import { dfuBoot } from "./actions/boot/dfu.ts";
import { dockerBoot } from "./actions/boot/docker.ts";
import { fastbootBoot } from "./actions/boot/fastboot.ts";
import { fvpBoot } from "./actions/boot/fvp.ts";
import { gdbBoot } from "./actions/boot/gdb.ts";
import { grubBoot, grubEfiBoot } from "./actions/boot/grub.ts";
import { ipxeBoot } from "./actions/boot/ipxe.ts";
import { jlinkBoot } from "./actions/boot/jlink.ts";
import { kexecBoot } from "./actions/boot/kexec.ts";
import { minimalBoot } from "./actions/boot/minimal.ts";
import { muscaBoot } from "./actions/boot/musca.ts";
import { newConnectionBoot } from "./actions/boot/new-connection.ts";
import { nodebooterBoot } from "./actions/boot/nodebooter.ts";
import { openOcdBoot } from "./actions/boot/openocd.ts";
import { pyOcdBoot } from "./actions/boot/pyocd.ts";
import { qdlBoot } from "./actions/boot/qdl.ts";
import { qemuIsoBoot } from "./actions/boot/qemu-iso.ts";
import { monitorBoot, qemuBoot, qemuNfsBoot } from "./actions/boot/qemu.ts";
import { recoveryBoot } from "./actions/boot/recovery.ts";
import { schrootBoot } from "./actions/boot/schroot.ts";
import { sshBoot } from "./actions/boot/ssh.ts";
import { ubootBoot } from "./actions/boot/u-boot.ts";
import { uefiMenuBoot } from "./actions/boot/uefi-menu.ts";
import { uefiBoot } from "./actions/boot/uefi.ts";
import { uuuBoot } from "./actions/boot/uuu.ts";
import { userCommand } from "./actions/command/user-command.ts";
import { avhDeploy } from "./actions/deploy/avh.ts";
import { dockerDeploy } from "./actions/deploy/docker.ts";
import { downloadDeploy } from "./actions/deploy/download.ts";
import { downloadsDeploy } from "./actions/deploy/downloads.ts";
import { fastbootDeploy } from "./actions/deploy/fastboot.ts";
import { flasherDeploy } from "./actions/deploy/flasher.ts";
import { fvpDeploy } from "./actions/deploy/fvp.ts";
import { isoInstallerDeploy } from "./actions/deploy/iso-installer.ts";
import { mpsDeploy } from "./actions/deploy/mps.ts";
import { muscaDeploy } from "./actions/deploy/musca.ts";
import { nbdDeploy } from "./actions/deploy/nbd.ts";
import { nfsDeploy } from "./actions/deploy/nfs.ts";
import { overlayDeploy } from "./actions/deploy/overlay.ts";
import { qdlDeploy } from "./actions/deploy/qdl.ts";
import { qemuNfsDeploy } from "./actions/deploy/qemu-nfs.ts";
import { recoveryDeploy } from "./actions/deploy/recovery.ts";
import { sshDeploy } from "./actions/deploy/ssh.ts";
import { sataDeploy, sdDeploy, usbDeploy } from "./actions/deploy/storage.ts";
import { tftpDeploy } from "./actions/deploy/tftp.ts";
import { tmpfsDeploy } from "./actions/deploy/tmpfs.ts";
import { ubootUmsDeploy } from "./actions/deploy/uboot-ums.ts";
import { usbgMsDeploy } from "./actions/deploy/usbg-ms.ts";
import { uuuDeploy } from "./actions/deploy/uuu.ts";
import { vemsdDeploy } from "./actions/deploy/vemsd.ts";
import { dockerTest } from "./actions/test/docker-test.ts";
import { interactiveTest } from "./actions/test/interactive.ts";
import { monitorTest } from "./actions/test/monitors.ts";
import { servicesTest } from "./actions/test/services.ts";
import { definitionTest } from "./actions/test/test-shell.ts";
import type { Strategy } from "./pipeline/strategy.ts";

/**
 * Everything that this worker can do, in the order of asking. A new method is a file and a line here (and its
 * keys in #protocol/job-strategies.ts).
 */
export const strategies: readonly Strategy[] = [
  // deploy
  tmpfsDeploy,
  tftpDeploy,
  nfsDeploy,
  nbdDeploy,
  downloadDeploy,
  downloadsDeploy,
  usbDeploy,
  sataDeploy,
  sdDeploy,
  ubootUmsDeploy,
  flasherDeploy,
  qemuNfsDeploy,
  isoInstallerDeploy,
  usbgMsDeploy,
  sshDeploy,
  overlayDeploy,
  recoveryDeploy,
  fastbootDeploy,
  dockerDeploy,
  uuuDeploy,
  qdlDeploy,
  fvpDeploy,
  avhDeploy,
  vemsdDeploy,
  mpsDeploy,
  muscaDeploy,
  // boot
  qemuBoot,
  qemuNfsBoot,
  monitorBoot,
  qemuIsoBoot,
  minimalBoot,
  newConnectionBoot,
  sshBoot,
  kexecBoot,
  schrootBoot,
  recoveryBoot,
  ubootBoot,
  bareboxBoot,
  depthchargeBoot,
  bootloaderBoot,
  gdbBoot,
  grubBoot,
  grubEfiBoot,
  ipxeBoot,
  uefiBoot,
  uefiMenuBoot,
  fastbootBoot,
  dockerBoot,
  uuuBoot,
  qdlBoot,
  fvpBoot,
  avhBoot,
  dfuBoot,
  jlinkBoot,
  pyOcdBoot,
  openOcdBoot,
  cmsisDapBoot,
  muscaBoot,
  nodebooterBoot,
  // test
  definitionTest,
  interactiveTest,
  monitorTest,
  dockerTest,
  servicesTest,
  // command
  userCommand,
];
