"""Prints the number of entries and a digest of what the kernel lists of file systems: as listing-digest.ts does of ours.

  kernel-digest.py IMAGE...    needs root; mounts a copy, so that a log can be replayed, and past damage of what is not read
"""
import errno, hashlib, json, os, stat, subprocess, sys, tempfile

TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFCHR: "char",
         stat.S_IFBLK: "block", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}
OPTIONS = ["ro", "ro,rescue=all", "ro,rescue=all,degraded"]


def rows(full, path):
    info = os.lstat(full)
    kind = TYPES[stat.S_IFMT(info.st_mode)]
    # A directory in place of a subvolume has the number 2, and the time of the mount.
    time = 0 if info.st_ino == 2 else info.st_mtime_ns
    row = [path.hex(), kind, stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, str(time)]
    if kind == "file":
        hash = hashlib.sha256()
        with open(full, "rb") as file:
            while block := file.read(1 << 20):
                hash.update(block)
        row += [info.st_nlink, info.st_size, hash.hexdigest()]
    elif kind == "symlink":
        row += [os.readlink(full).hex()]
    elif kind in ("char", "block"):
        row += [os.major(info.st_rdev), os.minor(info.st_rdev)]
    for name in xattrs(full):
        if not name.startswith("btrfs."):
            row += [name, os.getxattr(full, name, follow_symlinks=False).hex()]
    yield json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n"
    if kind == "dir":
        for name in sorted(os.listdir(full)):
            yield from rows(os.path.join(full, name), path + b"/" + name if path else name)


def xattrs(full):
    try:
        return sorted(os.listxattr(full, follow_symlinks=False))
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return []


def digest(image):
    with tempfile.TemporaryDirectory() as work:
        copy, folder = os.path.join(work, "image"), os.path.join(work, "mnt")
        os.mkdir(folder)
        subprocess.run(["cp", "--sparse=always", image, copy], check=True)
        # With `mount -o loop,ro` the device would be read-only too, and no log could be replayed.
        loop = subprocess.run(["losetup", "-f", "--show", copy], check=True, capture_output=True, text=True).stdout.strip()
        try:
            for options in OPTIONS:
                if subprocess.run(["mount", "-o", options, loop, folder], stderr=subprocess.DEVNULL).returncode:
                    continue
                try:
                    lines = [line.encode() for line in rows(os.fsencode(folder), b"")]
                    return "%d %s" % (len(lines), hashlib.sha256(b"".join(lines)).hexdigest()[:16])
                finally:
                    subprocess.run(["umount", folder], check=True)
        finally:
            subprocess.run(["losetup", "-d", loop], check=True)
    return "not mounted"


for image in sys.argv[1:]:
    print(os.path.basename(image), digest(image), flush=True)
