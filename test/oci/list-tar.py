"""Lists tar files with Python's own reader, one JSON line an archive: an oracle for the layer reader."""
import json, os, sys, tarfile

def raw(text):
    return text.encode("utf-8", "surrogateescape").decode("latin1")

TYPES = {b"0": "file", b"\0": "file", b"7": "file", b"1": "link", b"2": "symlink", b"3": "character-device",
         b"4": "block-device", b"5": "directory", b"6": "fifo"}

def row(tar, m):
    kind = TYPES[m.type]
    out = {"path": raw(m.name), "type": kind, "mode": m.mode & 0o7777, "uid": m.uid, "gid": m.gid, "mtime": str(m.pax_headers.get("mtime", m.mtime))}
    if kind in ("link", "symlink"):
        out["target"] = raw(m.linkname)
    if kind.endswith("device"):
        out["device"] = [m.devmajor, m.devminor]
    if kind == "file":
        data = tar.extractfile(m).read()
        out["size"] = len(data)
        if len(data) < 100:
            out["data"] = data.decode("latin1")
    xattrs = {raw(k)[13:]: raw(v) for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr.")}
    if xattrs:
        out["xattrs"] = xattrs
    return out

for path in sys.argv[1:]:
    name = os.path.basename(path)
    try:
        with tarfile.open(path, "r:", encoding="utf-8", errors="surrogateescape") as tar:
            rows = [row(tar, m) for m in tar]
        print(json.dumps({"name": name, "rows": rows}))
    except Exception as error:
        print(json.dumps({"name": name, "error": str(error)}))
