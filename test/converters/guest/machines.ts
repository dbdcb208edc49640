import type { MemoryFiles } from "../../support/memory-tree.ts";

/** An ELF header of 64 bytes: what tells the architecture. */
export function elf(machine: number, bits: 32 | 64 = 64, big = false, flags = 0): Uint8Array {
  const bytes = Buffer.alloc(64);
  bytes.write("\x7fELF", 0, "latin1");
  bytes[4] = bits === 64 ? 2 : 1;
  bytes[5] = big ? 2 : 1;
  bytes[6] = 1;
  if (big) bytes.writeUInt16BE(machine, 0x12);
  else bytes.writeUInt16LE(machine, 0x12);
  bytes.writeUInt32LE(flags, 0x24);
  return bytes;
}

const AMD64 = { bytes: elf(62), mode: 0o755 };

/** Debian 12 with nginx and a few things that a real machine has gathered. */
export const DEBIAN: MemoryFiles = {
  bin: "-> usr/bin",
  lib: "-> usr/lib",
  sbin: "-> usr/sbin",
  "boot/vmlinuz-6.1.0-13-amd64": "kernel",
  "boot/grub/grub.cfg": "menu",
  "dev/null": { device: ["character-device", 1, 3], mode: 0o666 },
  "etc/.pwd.lock": { text: "", mode: 0o600 },
  "etc/fstab": { text: "UUID=1 / ext4 defaults 0 1\n", mode: 0o640 },
  "etc/hostname": "web01\n",
  "etc/hosts": "127.0.1.1 web01\n",
  "etc/machine-id": { text: "0123456789abcdef0123456789abcdef\n", mode: 0o444 },
  "etc/network/interfaces": "auto eth0\n",
  "etc/nginx/nginx.conf": "http {\n  include sites-enabled/*;\n}\n",
  "etc/nginx/sites-enabled/default": "-> /etc/nginx/sites-available/default",
  "etc/nginx/sites-available/default":
    "server {\n  listen 80 default_server;\n  listen [::]:80;\n  listen 8443 ssl;\n  listen 127.0.0.1:9000;\n  # listen 1;\n}\n",
  "etc/os-release": "-> ../usr/lib/os-release",
  "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n",
  "etc/resolv.conf": "-> ../run/systemd/resolve/stub-resolv.conf",
  "etc/shadow": {
    text: "root:$y$j9T$abc:19000:0:99999:7:::\ndaemon:*:19000::::::\nguest::1::::::\n",
    mode: 0o640,
    gid: 42,
  },
  "etc/shadow-": { text: "root:$y$old:1::::::\n", mode: 0o640, gid: 42 },
  "etc/ssh/ssh_host_rsa_key": { text: "-----BEGIN OPENSSH PRIVATE KEY-----\n", mode: 0o600 },
  "etc/ssh/sshd_config": "#Port 22\nPort 2222\n",
  "etc/ssl/certs/ca.pem": "-----BEGIN CERTIFICATE-----\n",
  "etc/systemd/system/multi-user.target.wants/cron.service": "-> /lib/systemd/system/cron.service",
  "etc/systemd/system/multi-user.target.wants/nginx.service": "-> /lib/systemd/system/nginx.service",
  "etc/systemd/system/multi-user.target.wants/ssh.service": "-> /lib/systemd/system/ssh.service",
  "etc/systemd/system/getty.target.wants/getty@tty1.service": "-> /lib/systemd/system/getty@.service",
  "home/ann/.bash_history": { text: "mysql -psecret\n", uid: 1000, gid: 1000, mode: 0o600 },
  "home/ann/.ssh/authorized_keys": { text: "ssh-ed25519 AAAA\n", uid: 1000, gid: 1000 },
  "opt/app/deploy.key": { text: "-----BEGIN RSA PRIVATE KEY-----\n", mode: 0o600 },
  "run/nginx.pid": "123",
  "swap.img": { bytes: new Uint8Array(8192), mode: 0o600 },
  "tmp/x": "x",
  "usr/bin/dash": AMD64,
  "usr/bin/sh": "-> dash",
  "usr/bin/ping": { bytes: elf(62), mode: 0o755, xattrs: { "security.capability": "\x01\0\0\x02" } },
  "usr/lib/modules/6.1.0-13-amd64/modules.dep": "",
  "usr/lib/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
  "usr/lib/python3/test/keycert.pem": "-----BEGIN PRIVATE KEY-----\n",
  "usr/lib/systemd/system/cron.service": "[Service]\nExecStart=/usr/sbin/cron -f $EXTRA_OPTS\n",
  "usr/lib/systemd/system/getty@.service": "[Service]\nExecStart=-/sbin/agetty -o '-p' - $TERM\n",
  "usr/lib/systemd/system/nginx.service":
    "[Service]\nType=forking\nExecStartPre=/usr/sbin/nginx -t\nExecStart=/usr/sbin/nginx -g 'daemon on; master_process on;'\nKillMode=mixed\n",
  "usr/lib/systemd/system/ssh.service":
    "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\nType=notify\nRuntimeDirectory=sshd\n",
  "usr/lib/systemd/system/systemd-timesyncd.service": "[Service]\nExecStart=/lib/systemd/systemd-timesyncd\n",
  "usr/lib/systemd/systemd": AMD64,
  "usr/sbin/init": "-> ../lib/systemd/systemd",
  "usr/sbin/nginx": AMD64,
  "usr/sbin/sshd": AMD64,
  "usr/share/doc/nginx/copyright": "BSD",
  "usr/share/doc/nginx/changelog.gz": "z",
  "usr/share/man/man8/nginx.8.gz": "z",
  "var/cache/apt/pkgcache.bin": "cache",
  "var/lib/apt/lists/x_InRelease": "list",
  "var/lib/dbus/machine-id": "0123456789abcdef0123456789abcdef\n",
  "var/lib/docker/overlay2/l/": "",
  "var/lib/dpkg/status": "Package: nginx\n",
  "var/log/journal/1/system.journal": "journal",
  "var/log/nginx/access.log": { text: "GET /\n", uid: 33, gid: 4, mode: 0o640 },
  "var/log/syslog.1": "old",
  "var/run": "-> /run",
  "var/www/html/index.html": "<h1>hello</h1>",
};

/** CentOS 6 with Apache under sysvinit. */
export const CENTOS: MemoryFiles = {
  "bin/bash": AMD64,
  "bin/sh": "-> bash",
  "etc/centos-release": "CentOS release 6.10 (Final)\n",
  "etc/httpd/conf/httpd.conf": "Listen 8080\n<VirtualHost *:8080>\n",
  "etc/init.d/httpd": "#!/bin/sh\n",
  "etc/inittab": "# runlevels\nid:3:initdefault:\n",
  "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
  "etc/rc.d/rc": "#!/bin/bash\n",
  "etc/rc3.d/S10network": "-> ../init.d/network",
  "etc/rc3.d/S85httpd": "-> ../init.d/httpd",
  "etc/rc3.d/K01smartd": "-> ../init.d/smartd",
  "etc/sysconfig/network-scripts/ifcfg-eth0": "DEVICE=eth0\n",
  "sbin/init": AMD64,
  "usr/sbin/httpd": AMD64,
  "var/run/httpd/httpd.pid": "1",
};

/** Ubuntu 14.04 with MySQL under Upstart. */
export const UPSTART: MemoryFiles = {
  "etc/init.d/rc": "#!/bin/sh\n",
  "etc/init/mysql.conf": "description mysql\nstart on runlevel [2345]\nrespawn\nexec /usr/sbin/mysqld\n",
  "etc/init/rc.conf": "start on runlevel [0123456]\ntask\nexec /etc/init.d/rc\n",
  "etc/init/tty1.conf": "start on stopped rc\nexec /sbin/getty\n",
  "etc/lsb-release": "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=14.04\n",
  "etc/rc2.d/S20rsync": "-> ../init.d/rsync",
  "etc/rc2.d/S99rc.local": "-> ../init.d/rc.local",
  "sbin/init": AMD64,
  "usr/sbin/mysqld": AMD64,
  "var/lib/mysql/": "",
};

/** Alpine with an application under OpenRC. */
export const ALPINE: MemoryFiles = {
  "bin/busybox": { bytes: elf(183), mode: 0o755 },
  "bin/sh": "-> /bin/busybox",
  "etc/alpine-release": "3.19.1\n",
  "etc/init.d/app":
    '#!/sbin/openrc-run\ncommand="/usr/bin/app"\ncommand_args="--port 9090 --quiet"\ncommand_background="yes"\npidfile="/run/app.pid"\n',
  "etc/init.d/sshd": "#!/sbin/openrc-run\n",
  "etc/inittab": "::sysinit:/sbin/openrc sysinit\n",
  "etc/runlevels/default/app": "-> /etc/init.d/app",
  "etc/runlevels/default/crond": "-> /etc/init.d/crond",
  "etc/runlevels/default/sshd": "-> /etc/init.d/sshd",
  "sbin/init": "-> /bin/busybox",
  "usr/bin/app": { bytes: elf(183), mode: 0o755 },
  "usr/sbin/sshd": { bytes: elf(183), mode: 0o755 },
};

/** No init and no shell: one program. */
export const STATIC: MemoryFiles = { app: { bytes: elf(40, 32, false, 0x400), mode: 0o755 } };
