"""Lists a file tree as one JSON object a line, sorted by path bytes: a second pair of eyes for tests.

  listing.py tar FILE...   the tree that layer tars (any compression that tarfile knows) hold together, later ones over earlier
  listing.py tree DIR      a tree as the kernel shows it (a mount), without crossing into other file systems

Byte strings are latin1; times are nanoseconds; hard links carry the first path of their group in `same`.
"""
import base64, hashlib, json, os, stat, sys, tarfile

TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFCHR: "character-device",
         stat.S_IFBLK: "block-device", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}
TAR_TYPES = {b"0": "file", b"\0": "file", b"5": "directory", b"2": "symlink", b"3": "character-device", b"4": "block-device", b"6": "fifo"}


def digest(stream):
    hash = hashlib.sha256()
    for block in iter(lambda: stream.read(1 << 20), b""):
        hash.update(block)
    return hash.hexdigest()


def encode(xattrs):
    return {name: base64.b64encode(value).decode() for name, value in sorted(xattrs.items())}


def from_tree(root):
    root = os.fsencode(root)
    device = os.lstat(root).st_dev
    groups = {}

    def visit(full, path):
        st = os.lstat(full)
        row = dict(path=path.decode("latin1"), type=TYPES[stat.S_IFMT(st.st_mode)], mode=st.st_mode & 0o7777, uid=st.st_uid, gid=st.st_gid, mtime=st.st_mtime_ns)
        if row["type"] == "file":
            row["size"] = st.st_size
            with open(full, "rb", buffering=0) as stream:
                row["sha256"] = digest(stream)
        elif row["type"] == "symlink":
            row["target"] = os.readlink(full).decode("latin1")
        elif row["type"].endswith("device"):
            row["device"] = [os.major(st.st_rdev), os.minor(st.st_rdev)]
        row["xattrs"] = encode({name: os.getxattr(full, name, follow_symlinks=False) for name in os.listxattr(full, follow_symlinks=False)})
        if st.st_nlink > 1 and row["type"] != "directory":
            groups.setdefault(st.st_ino, []).append(row)
        yield row
        if row["type"] == "directory" and st.st_dev == device:
            for name in sorted(os.listdir(full)):
                yield from visit(os.path.join(full, name), path + b"/" + name if path else name)

    rows = {row["path"]: row for row in visit(root, b"")}
    name_groups(groups.values())
    return rows


def name_groups(groups):
    for group in groups:
        if len(group) < 2:
            continue
        first = min(row["path"] for row in group)
        for row in group:
            row["same"] = first


def raw(text):
    return text.encode("utf-8", "surrogateescape")


def nanoseconds(member):
    text = member.pax_headers.get("mtime")
    if text is None:
        return int(member.mtime) * 10**9
    whole, _, fraction = text.partition(".")
    return int(whole) * 10**9 + int(fraction.ljust(9, "0")[:9])


def from_tars(files):
    rows, groups = {}, {}
    for file in files:
        with tarfile.open(file, "r:*", encoding="utf-8", errors="surrogateescape") as tar:
            for member in tar:
                path = raw(member.name).decode("latin1")
                path = "" if path == "." else path
                row = dict(path=path, mode=member.mode, uid=member.uid, gid=member.gid, mtime=nanoseconds(member))
                xattrs = {key[13:]: raw(value) for key, value in member.pax_headers.items() if key.startswith("SCHILY.xattr.")}
                row["xattrs"] = encode(xattrs)
                if member.islnk():
                    target = rows[raw(member.linkname).decode("latin1")]
                    for key in ("type", "size", "sha256", "target", "device"):
                        if key in target:
                            row[key] = target[key]
                    groups.setdefault(target["path"], [target]).append(row)
                else:
                    row["type"] = TAR_TYPES[member.type]
                    if row["type"] == "file":
                        row["size"] = member.size
                        row["sha256"] = digest(tar.extractfile(member))
                    elif row["type"] == "symlink":
                        row["target"] = raw(member.linkname).decode("latin1")
                    elif row["type"].endswith("device"):
                        row["device"] = [member.devmajor, member.devminor]
                assert path not in rows, path
                rows[path] = row
    name_groups(groups.values())
    return rows


kind, *places = sys.argv[1:]
listing = from_tree(places[0]) if kind == "tree" else from_tars(places)
for path in sorted(listing):
    print(json.dumps(listing[path], sort_keys=True))
