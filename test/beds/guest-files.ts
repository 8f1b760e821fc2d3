/** Files of the guest's initramfs by path; `modules` are loaded from /lib/modules in this order. */
export const initramfs = (modules: readonly string[]): Record<string, string> => ({
  ...common,
  init: `#!/bin/sh
export PATH=/bin:/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in ${modules.join(" ")}; do insmod /lib/modules/$module.ko 2>/dev/null; done
read -r line </proc/cmdline
tty=ttyS0 root= shell='-/bin/sh'
for word in $line; do
  case "$word" in
    console=tty*) tty=\${word#console=} tty=\${tty%%,*} ;;
    root=/dev/ram*) ;;
    root=/dev/*) root=\${word#root=} ;;
    login) shell=login ;;
  esac
done
[ "$shell" != login ] || shell="/sbin/getty -L 115200 $tty vt100"
if [ -n "$root" ]; then
  # Disks of a bus are named in the order in which they answer: the one that has an init is the root.
  tries=0 found=
  while [ -z "$found" ] && [ "$tries" -lt 100 ]; do
    for disk in "$root" /dev/[sv]d?; do
      [ -b "$disk" ] && mount -t ext4 "$disk" /mnt 2>/dev/null || continue
      if [ -d /mnt/sbin ]; then found=$disk; break; fi
      umount /mnt
    done
    [ -n "$found" ] || { tries=$((tries + 1)); sleep 0.1; }
  done
  if [ -n "$found" ]; then
    for dir in dev proc sys; do mount --move "/$dir" "/mnt/$dir"; done
    exec switch_root /mnt /sbin/init
  fi
  echo "no root file system on $root: staying in the initramfs" >/dev/console
fi
echo "::sysinit:/etc/rc
$tty::respawn:$shell
::ctrlaltdel:/sbin/reboot
::shutdown:/bin/sync" >/etc/inittab
exec /sbin/init
`,
});

/** Files of the disk image's root file system by path. */
export const disk = (): Record<string, string> => ({
  ...common,
  "etc/inittab": `::sysinit:/etc/rc
::respawn:/bin/console-login
::ctrlaltdel:/sbin/reboot
::shutdown:/bin/sync
`,
  "bin/console-login": `#!/bin/sh
read -r tty </sys/class/tty/console/active
exec getty -L 115200 "\${tty##* }" vt100
`,
});

const common = {
  "etc/rc": `#!/bin/sh
export PATH=/bin:/sbin
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /tmp
ip link set lo up
# A root file system on the network has brought it up.
[ -n "$(ip route)" ] || case " $(cat /proc/cmdline) " in *" ip=dhcp "*)
  ip link set eth0 up && udhcpc -i eth0 -n -q -t 5 -T 2 -s /bin/dhcp-script ;;
esac
hostname -F /etc/hostname
`,
  "bin/dhcp-script": `#!/bin/sh
case "$1" in bound|renew)
  ip addr flush dev "$interface"
  ip addr add "$ip/\${mask:-24}" dev "$interface"
  for gateway in $router; do ip route add default via "$gateway" dev "$interface"; done
  for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf ;;
esac
`,
  "etc/hostname": "pumice\n",
  "etc/hosts": "127.0.0.1 localhost pumice\n",
  "etc/issue": "Pumice guest\n",
  "etc/os-release": 'NAME=Pumice\nPRETTY_NAME="Pumice guest"\n',
  // The password is "lava".
  "etc/passwd":
    "root:$6$pumice$wYZiDwTXWpFMjoEYoo//nCxFAWxz/ZE1QPSLayBWBAqBDxuvVs.VsC0zEdS0qJjdTi3h/ureKmeD3kuwfJ.iv1:0:0:root:/root:/bin/sh\n",
  "etc/group": "root:x:0:\n",
  // A serial line knows no width: the shell would wrap what is typed at 80 columns.
  "etc/profile": `export PATH=/bin:/sbin HOME=/root
[ ! -t 0 ] || stty rows 50 cols 500
PS1='root@pumice:\\w# '
cd
`,
};
