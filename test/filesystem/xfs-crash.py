import fcntl, os, random, struct, sys
root, seed, count, how = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
r = random.Random(seed); os.chdir(root)
dirs = ["."]; files = []; n = 0
def name():
    global n; n += 1
    return "%s%04d" % (r.choice(["f", "longer-name-%s-" % ("y" * r.randrange(120))]), n)
def attempt(fn, *a, **k):
    try: return fn(*a, **k)
    except OSError as e: pass
for i in range(count):
    op = r.random(); d = r.choice(dirs)
    if op < 0.35:
        p = os.path.join(d, name())
        def mk():
            with open(p, "wb") as f:
                for _ in range(r.randrange(4)):
                    f.seek(r.randrange(200000)); f.write(r.randbytes(r.randrange(9000)))
                if r.random() < 0.3: f.flush(); os.fsync(f.fileno())
            files.append(p)
        attempt(mk)
    elif op < 0.42:
        p = os.path.join(d, name())
        def mkd(): os.mkdir(p); dirs.append(p)
        attempt(mkd)
    elif op < 0.5 and files:
        p = files.pop(r.randrange(len(files))); attempt(os.unlink, p)
    elif op < 0.56 and files:
        k = r.randrange(len(files)); q = os.path.join(d, name())
        def mv(): os.rename(files[k], q); files[k] = q
        attempt(mv)
    elif op < 0.62 and files:
        attempt(os.setxattr, r.choice(files), "user.k%d" % r.randrange(40), r.randbytes(r.choice([3, 50, 500, 3000, 20000])))
    elif op < 0.64 and files:
        f = r.choice(files); x = attempt(os.listxattr, f)
        if x: attempt(os.removexattr, f, r.choice(x))
    elif op < 0.7: attempt(os.symlink, "t" * r.choice([5, 100, 400, 1000]), os.path.join(d, name()))
    elif op < 0.74 and files:
        q = os.path.join(d, name())
        def ln(): os.link(r.choice(files), q); files.append(q)
        attempt(ln)
    elif op < 0.8 and files: attempt(os.truncate, r.choice(files), r.randrange(300000))
    elif op < 0.86 and files:
        def frag():
            with open(r.choice(files), "r+b") as f:
                for j in range(r.choice([3, 60])): f.seek(r.randrange(400) * 8192); f.write(b"frag%d" % j)
                if r.random() < 0.5: f.flush(); os.fsync(f.fileno())
        attempt(frag)
    elif op < 0.9 and files: attempt(os.chown, r.choice(files), r.randrange(70000), r.randrange(70000)); 
    elif op < 0.92: attempt(os.mknod, os.path.join(d, name()), 0o020600, os.makedev(r.randrange(400), r.randrange(70000)))
    elif op < 0.94 and len(files) > 1:
        def clone():
            with open(r.choice(files), "rb") as s, open(r.choice(files), "r+b") as t: fcntl.ioctl(t, 0x40049409, s.fileno())
        attempt(clone)
    elif op < 0.96 and files:
        def al():
            with open(r.choice(files), "r+b") as f: os.posix_fallocate(f.fileno(), r.randrange(200000), r.randrange(200000))
        attempt(al)
    elif op < 0.965: os.sync()
    elif op < 0.975 and len(dirs) > 3:
        k = r.randrange(1, len(dirs)); base = dirs[k]
        import shutil; shutil.rmtree(base, ignore_errors=True)
        dirs = [x for x in dirs if x != base and not x.startswith(base + "/")]; files = [x for x in files if not x.startswith(base + "/")]
fd = os.open(".", os.O_RDONLY)
fcntl.ioctl(fd, 0x8004587D, struct.pack("I", how))
