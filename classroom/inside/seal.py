"""What a process gives up before it runs an answer; none of it can be taken back."""

import ctypes
import os
import platform
import resource
import struct
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_USER, NEW_MOUNTS, NEW_PROCESSES, NEW_IPC = 1 << 28, 1 << 17, 1 << 29, 1 << 27
NO_SUID_DEVICES_PROGRAMS = 2 | 4 | 8
READ_ONLY = 1
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
THREAD = 0x10000

# System calls that an answer has no use for: x86_64, aarch64.
REFUSED = {
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None),
    "vfork": (58, None), "kill": (62, 129), "tkill": (200, 130), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "bpf": (321, 280),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "perf_event_open": (298, 241), "io_uring_setup": (425, 425),
    "userfaultfd": (323, 282), "socket": (41, 198), "connect": (42, 203),
    "pidfd_send_signal": (424, 424), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    # Memory that no limit counts.
    "shmget": (29, 194), "msgget": (68, 186), "mq_open": (240, 180),
    "memfd_create": (319, 279),
}  # fmt: skip
CLONE, CLONE3 = (56, 220), (435, 435)
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def apart(room: int) -> bool:
    """Goes into namespaces of its own; the next process forked is alone in them.

    It sees no process but its own, an empty ``/tmp``, and no ``/proc``.

    Args:
        room: bytes that ``/tmp`` may hold.

    Returns:
        Whether the system allows it.
    """
    user, group = os.getuid(), os.getgid()
    if LIBC.unshare(NEW_USER | NEW_MOUNTS | NEW_PROCESSES | NEW_IPC):
        return False
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    except OSError:
        return False
    flags = NO_SUID_DEVICES_PROGRAMS
    tmp = LIBC.mount(b"tmpfs", b"/tmp", b"tmpfs", flags, f"size={room}".encode())
    none = LIBC.mount(b"tmpfs", b"/proc", b"tmpfs", flags | READ_ONLY, b"size=4096")
    return not (tmp or none)


def drop_capabilities() -> None:
    """Gives up what the new namespace would allow: unmounting, above all."""
    version, none = struct.pack("=Ii", 0x20080522, 0), bytes(24)
    LIBC.capset(version, none)


def used() -> int:
    """Bytes of address space that this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def limit(memory: int, seconds: int, room: int) -> None:
    """Sets limits that hold for this process.

    The system does not hold root to a number of processes. `refuse_system_calls` lets
    nobody start one; of threads, root can have as many as find room in the memory (a
    gibibyte holds some 29,000 of the smallest), until the clock ends them all at once.

    Args:
        memory: bytes of address space.
        seconds: of processor time.
        room: bytes of a file.
    """
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, room),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_NPROC, 64),
    ):
        resource.setrlimit(what, (most, most))


def refuse_system_calls() -> bool:
    """No process can be started, stopped or looked into any more; threads can.

    Returns:
        Whether this machine is known here and its system does it.
    """
    known = MACHINES.get(platform.machine())
    if known is None:
        return False
    column, machine = known
    numbers = [n for row in REFUSED.values() if (n := row[column]) is not None]
    allow, deny, unknown, stop = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
    load, equal, above, bits, done = 0x20, 0x15, 0x35, 0x45, 0x06
    code = [
        (load, 0, 0, 4), (equal, 1, 0, machine), (done, 0, 0, stop),
        (load, 0, 0, 0), (above, 0, 1, 0x40000000), (done, 0, 0, stop),
        (equal, 0, 1, CLONE3[column]), (done, 0, 0, unknown),
        (equal, 0, 4, CLONE[column]), (load, 0, 0, 16), (bits, 1, 0, THREAD),
        (done, 0, 0, deny), (done, 0, 0, allow),
    ]  # fmt: skip
    for number in numbers:
        code += [(equal, 0, 1, number), (done, 0, 0, deny)]
    code.append((done, 0, 0, allow))
    program = ctypes.create_string_buffer(
        b"".join(struct.pack("=HBBI", *c) for c in code)
    )
    filtered = struct.pack("@HxxxxxxP", len(code), ctypes.addressof(program))
    LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return bool(LIBC.prctl(SECCOMP, FILTER, filtered, 0, 0) == 0)
