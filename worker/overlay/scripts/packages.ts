const retrying = `retrying() {
  tries=1
  until "$@"; do
    [ "$tries" -lt 5 ] || return 1
    tries=$((tries + 1))
    echo "$1 failed, try $tries of 5 follows"
    sleep "\${LAVA_RETRY_SECONDS:-60}"
  done
}
`;

const unsupported = (what: string): string => `echo "#########################################"
echo "${what}: $*"
echo "The test shell has no way to do this on this system."
echo "#########################################"
`;

/** What works on any system: says what would have been done. */
export const genericPackageScripts: Readonly<Record<string, string>> = {
  "lava-install-packages": unsupported("Packages to install"),
  "lava-installed-packages": `echo "Listing installed packages is unsupported on this system"\n`,
  "lava-add-keys": unsupported("Keys to add"),
  "lava-add-sources": unsupported("Package sources to add"),
};

const dpkgList = `dpkg-query -W -f 'package: \${Package} : \${Version}\\n'\n`;
const rpmList = `rpm -qa --qf 'package: %{NAME} : %{VERSION}-%{RELEASE}\\n'\n`;

const apt = {
  "lava-install-packages": `${retrying}
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
retrying apt-get update && retrying apt-get install -y -q "$@"
`,
  "lava-installed-packages": dpkgList,
  "lava-add-keys": `for key in "$@"; do
  apt-key adv --keyserver keyserver.ubuntu.com --recv-keys "$key" || exit 1
done
`,
  "lava-add-sources": `for source in "$@"; do
  case "$source" in
    ppa:*) add-apt-repository -y "$source" || exit 1 ;;
    *) printf '%s\\n' "$source" >>/etc/apt/sources.list.d/lava.list ;;
  esac
done
apt-get update
`,
};

const fedora = {
  "lava-install-packages": `${retrying}
if command -v dnf >/dev/null; then tool=dnf; else tool=yum; fi
retrying "$tool" -y install "$@"
`,
  "lava-installed-packages": rpmList,
};
const centos = {
  "lava-install-packages": `${retrying}\nretrying yum -y install "$@"\n`,
  "lava-installed-packages": rpmList,
};

/** Scripts that replace generic ones, by the `os` of the deployment (TEST-SHELL.md 5). */
export const distroPackageScripts: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  debian: apt,
  debian_installer: apt,
  ubuntu: apt,
  apertis: apt,
  fedora,
  centos,
  centos_installer: centos,
  oe: {
    "lava-install-packages": `${retrying}\nretrying opkg update && retrying opkg install "$@"\n`,
    "lava-installed-packages": `opkg list-installed | sed -n 's/^\\([^ ]*\\) - \\([^ ]*\\).*/package: \\1 : \\2/p'\n`,
  },
  archlinux: {
    "lava-install-packages": `${retrying}\nretrying pacman -Syu --noconfirm --needed "$@"\n`,
    "lava-installed-packages": `pacman -Q | sed 's/^\\([^ ]*\\) /package: \\1 : /'\n`,
  },
  slackware: {
    "lava-install-packages": `${retrying}\nretrying slackpkg -batch=on -default_answer=y install "$@"\n`,
    "lava-installed-packages": `for file in /var/log/packages/*; do
  full=\${file##*/}
  rest=\${full%-*-*}
  echo "package: \${rest%-*} : \${rest##*-}"
done
`,
  },
};
