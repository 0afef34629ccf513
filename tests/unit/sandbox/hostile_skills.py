# ruff: noqa: BLE001, PTH101, PTH102, PTH103, PTH104, PTH108, PTH118, PTH120, PTH123, PTH202, PTH208, PTH211
"""Skills that try to get out of a worker. Copied into a bundle by the tests; never imported here.

Each returns what happened, so that a test can say both that the escape failed and that the ordinary
thing beside it worked.
"""

import ctypes
import json
import os
import signal
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
SYS_PTRACE, SYS_PROCESS_VM_READV = (117, 270) if os.uname().machine == "aarch64" else (101, 310)


def outcome(act):
    try:
        value = act()
    except (OSError, EOFError) as error:
        return f"refused: {type(error).__name__}"
    return f"succeeded: {value}"


def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def read(path):
    with open(path, "rb") as file:
        return len(file.read(64))


def write(path, data=b"x"):
    with open(path, "wb") as file:
        return file.write(data)


def ordinary(inputs, ctx):
    return {"sum": sum(inputs.get("numbers", [])), "knowledge": ctx.knowledge}


def raises(inputs, ctx):
    raise ValueError("this file is beyond me")


def hangs(inputs, ctx):
    ctx.progress("hanging")
    while True:
        time.sleep(1)


def spins(inputs, ctx):
    while True:
        pass


def forks(inputs, ctx):
    born, refused = [], ""
    for _ in range(inputs["wanted"]):
        try:
            pid = os.fork()
        except OSError as error:
            refused = type(error).__name__
            break
        if pid == 0:
            time.sleep(30)
            os._exit(0)
        born.append(pid)
    return {"born": len(born), "refused": refused}


def bombs(inputs, ctx):
    libc.prctl(15, inputs["name"].encode())
    ctx.progress("forking")
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.01)


def daemonises(inputs, ctx):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            libc.prctl(15, inputs["name"].encode())
            time.sleep(60)
        os._exit(0)
    os.wait()
    ctx.tool("wait")
    return "left alone"


def strikes(inputs, ctx):
    """With declared processes signals are permitted, within the attempt."""
    told = {
        name: outcome(lambda pid=pid: os.kill(pid, signal.SIGKILL))
        for name, pid in inputs["pids"].items()
    }
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
    told["own child"] = outcome(lambda: (os.kill(pid, signal.SIGKILL), os.waitpid(pid, 0))[1])
    told["everybody"] = outcome(lambda: os.kill(-1, signal.SIGKILL))
    return told


def threads(inputs, ctx):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda n: n * n, [1, 2, 3]))


def event_loop(inputs, ctx):
    import asyncio

    async def work():
        await asyncio.sleep(0)
        return "awaited"

    return asyncio.run(work())


def eats_memory(inputs, ctx):
    hoard = []
    while True:
        hoard.append(bytearray(16 << 20))


def floods(inputs, ctx):
    return "x" * inputs["size_bytes"]


def floods_raw(inputs, ctx):
    os.write(3, (1 << 30).to_bytes(4, "big") + b"x" * 1000)
    time.sleep(30)


def babbles(inputs, ctx):
    os.write(3, (9).to_bytes(4, "big") + b"not json!")
    time.sleep(30)


def writes(inputs, ctx):
    told = {path: outcome(lambda path=path: write(path)) for path in inputs["paths"]}
    told["unlink"] = outcome(lambda: os.unlink(inputs["victim"]))
    told["rename"] = outcome(lambda: os.rename("own", inputs["victim"] + ".moved"))
    told["mkdir"] = outcome(lambda: os.mkdir(inputs["victim"] + ".d"))
    told["truncate"] = outcome(lambda: os.truncate(inputs["victim"], 0))
    told["own"] = outcome(lambda: write("own"))
    os.unlink("own")
    return told


def fills_file(inputs, ctx):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    chunk = b"x" * (1 << 20)
    try:
        with open("large", "wb") as file:
            for _ in range(inputs["chunks"]):
                file.write(chunk)
    except OSError as error:
        return {"refused": error.errno, "size_bytes": os.path.getsize("large")}
    return {"refused": None, "size_bytes": os.path.getsize("large")}


def reads(inputs, ctx):
    return {path: outcome(lambda path=path: read(path)) for path in inputs["paths"]}


def declared(inputs, ctx):
    base = ctx.reads["repository"]
    return {
        "listed": sorted(os.listdir(base)),
        "text": open(os.path.join(base, "a.txt")).read(),
        "write": outcome(lambda: write(os.path.join(base, "a.txt"))),
        "sideways": outcome(lambda: read(inputs["other"])),
    }


def sockets(inputs, ctx):
    import socket

    def reach(family, kind, address):
        with socket.socket(family, kind) as sock:
            sock.connect(address)

    def datagrams():
        socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def pair():
        one, other = socket.socketpair()
        one.send(b"hello")
        return other.recv(9).decode()

    stream, unix = socket.SOCK_STREAM, socket.AF_UNIX
    return {
        "inet": outcome(lambda: reach(socket.AF_INET, stream, ("127.0.0.1", inputs["port"]))),
        "inet6": outcome(lambda: reach(socket.AF_INET6, stream, ("::1", inputs["port"]))),
        "udp": outcome(lambda: reach(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 53))),
        "path": outcome(lambda: reach(unix, stream, inputs["path"])),
        "abstract": outcome(lambda: reach(unix, stream, "\0" + inputs["abstract"])),
        "netlink": outcome(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)),
        "datagram pair": outcome(datagrams),
        "stream pair": outcome(pair),
    }


def imports_ray(inputs, ctx):
    sys.path[:0] = inputs["library_paths"]
    try:
        import ray

        ray.get_actor("sibling")
    except BaseException as error:
        return {"refused": type(error).__name__, "module": type(error).__module__}
    return {"refused": None}


def environment(inputs, ctx):
    return {
        "environ": dict(os.environ),
        "proc": outcome(lambda: read("/proc/self/environ")),
        "host": outcome(lambda: read(f"/proc/{inputs['host']}/environ")),
        "descriptors": [fd for fd in range(256) if is_open(fd)],
        "uid": os.getuid(),
        "session": os.getsid(0) == os.getpid(),
    }


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def introduces(inputs, ctx):
    """A well-behaved sibling: says who it is, waits, and tells whether it was left alone."""
    with open("mine", "w") as file:
        file.write("untouched")
    ctx.progress(json.dumps({"pid": os.getpid(), "tmp": ctx.tmp}))
    said = ctx.tool("wait")
    with open("mine") as file:
        text = file.read()
    return {"said": said, "mine": text, "listed": os.listdir(".")}


def signals(inputs, ctx):
    told = {}
    for name, pid in inputs["pids"].items():
        told[name] = outcome(lambda pid=pid: os.kill(pid, signal.SIGKILL))
        told[f"{name} by thread"] = outcome(
            lambda pid=pid: call(libc.syscall(234 if SYS_PTRACE == 101 else 131, pid, pid, 9))
        )
    told["group"] = outcome(lambda: os.killpg(0, signal.SIGTERM))
    told["everybody"] = outcome(lambda: os.kill(-1, signal.SIGKILL))
    seen = []
    signal.signal(signal.SIGUSR1, lambda *_: seen.append("own signal"))
    signal.raise_signal(signal.SIGUSR1)
    told["own"] = seen
    return told


def meddles(inputs, ctx):
    """Traces, reads and re-limits another process."""
    import resource

    pid = inputs["pid"]
    return {
        "ptrace": outcome(lambda: call(libc.syscall(SYS_PTRACE, 16, pid, None, None))),
        "memory file": outcome(lambda: read(f"/proc/{pid}/mem")),
        "environ": outcome(lambda: read(f"/proc/{pid}/environ")),
        "readv": outcome(lambda: call(libc.syscall(SYS_PROCESS_VM_READV, pid, 0, 0, 0, 0, 0))),
        "limits": outcome(lambda: resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1))),
        "priority": outcome(lambda: os.setpriority(os.PRIO_PROCESS, pid, 19)),
        "affinity": outcome(lambda: os.sched_setaffinity(pid, {0})),
        "handle": outcome(lambda: os.pidfd_open(pid)),
        "own limit": outcome(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))),
    }


def snoops(inputs, ctx):
    tmp = inputs["tmp"]
    mine = os.path.join(tmp, "mine")
    parent = os.path.dirname(tmp)
    return {
        "list": outcome(lambda: os.listdir(tmp)),
        "list all": outcome(lambda: os.listdir(parent)),
        "read": outcome(lambda: read(mine)),
        "write": outcome(lambda: write(mine)),
        "add": outcome(lambda: write(os.path.join(tmp, "planted"))),
        "unlink": outcome(lambda: os.unlink(mine)),
        "chmod": outcome(lambda: os.chmod(tmp, 0)),
        "move": outcome(lambda: os.rename(tmp, tmp + "x")),
        "link": outcome(lambda: os.link(mine, "linked")),
        "own": outcome(lambda: write("own")),
    }


def metadata(inputs, ctx):
    path = inputs["path"]
    return {
        "chmod": outcome(lambda: os.chmod(path, 0o777)),
        "chown": outcome(lambda: os.chown(path, 65533, 65533)),
        "utime": outcome(lambda: os.utime(path, (0, 0))),
        "setxattr": outcome(lambda: os.setxattr(path, "user.mark", b"1")),
    }


def memory_segments(inputs, ctx):
    return {
        "sysv": outcome(lambda: call(libc.shmget(0x5A5A, 4096, 0o1666))),
        "posix": outcome(lambda: write("/dev/shm/swarm-ray-test")),
        "queue": outcome(lambda: call(libc.msgget(0x5A5A, 0o1666))),
    }


def namespaces(inputs, ctx):
    return {
        "user": outcome(lambda: call(libc.unshare(0x10000000))),
        "mount": outcome(lambda: call(libc.mount(b"none", b"/", None, 0, None))),
        "chroot": outcome(lambda: os.chroot(".")),
        "bpf": outcome(lambda: call(libc.syscall(280 if SYS_PTRACE == 117 else 321, 0, 0, 0))),
        "io_uring": outcome(lambda: call(libc.syscall(425, 1, 0))),
        "unknown call": outcome(lambda: call(libc.syscall(470, 0, 0))),
    }


def executes(inputs, ctx):
    import subprocess

    def run():
        done = subprocess.run(["/bin/echo", "hello"], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    return {"run": outcome(run)}


def programs(inputs, ctx):
    """With declared processes: ordinary programs work, within the count and the same domain."""
    import subprocess

    def run(*argv):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return [done.returncode, done.stdout.strip()]

    os.mkdir("bin")
    write("bin/tool", b"#!/bin/sh\necho tool\n")
    return {
        "echo": run("/bin/echo", "hello"),
        "pipe": run("/bin/sh", "-c", "echo a | cat"),
        "secret": run("/bin/cat", inputs["secret"])[0],
        "outside": run("/bin/sh", "-c", f"echo x > {inputs['outside']}")[0],
        "inside": run("/bin/sh", "-c", "echo x > own && cat own"),
    }


def lingers(inputs, ctx):
    body = json.dumps({"frame": "result", "status": "ok", "output": "early"}).encode()
    os.write(3, len(body).to_bytes(4, "big") + body)
    while True:
        time.sleep(1)


def not_json(inputs, ctx):
    return {"set": {1, 2}}


def not_a_number(inputs, ctx):
    return float("nan")


def circular(inputs, ctx):
    loop = []
    loop.append(loop)
    return loop


def quits(inputs, ctx):
    raise SystemExit(3)


def crashes(inputs, ctx):
    ctypes.string_at(0)


def litters(inputs, ctx):
    os.makedirs("a/b/c")
    write("a/b/c/file")
    os.symlink("/etc", "link")
    return {"found": inputs.get("expect", []), "listed": sorted(os.listdir("."))}


def looks_around(inputs, ctx):
    return sorted(os.listdir("."))


def numbers(inputs, ctx):
    import random

    return {"random": random.random(), "urandom": os.urandom(8).hex()}


def unreadable_error(inputs, ctx):
    class Sly(Exception):
        def __str__(self):
            raise RuntimeError("no text for you")

    raise Sly
