"""Where brokers keep their data, and what can happen to it.

`Directory` is a folder of the machine's disk. `Image` is an ext4 file system of its own, mounted from a sparse file,
whose faults are the kernel's own: nothing between the broker and its file system is replaced.
"""

import fcntl
import os
import struct
import subprocess

from chaos.network import run

_MIB = 1 << 20
# FS_IOC_SHUTDOWN of linux/fs.h, and the flag that keeps even the journal from being written.
_SHUTDOWN, _WITHOUT_LOG_FLUSH = 0x8004587D, 2


class Directory:
    def __init__(self, path):
        self.path = path
        path.mkdir(parents=True)

    def close(self):
        pass


class Image:
    """An ext4 file system in a sparse file, on a tmpfs that can be made too small for it."""

    SIZE = 512 * _MIB

    def __init__(self, path):
        self.path = path / "mount"
        self._memory = path / "memory"
        self._file = self._memory / "image"
        for directory in (self.path, self._memory):
            directory.mkdir(parents=True)
        run("mount", "-t", "tmpfs", "-o", f"size={self.SIZE + 64 * _MIB}", "tmpfs", str(self._memory))
        with open(self._file, "wb") as file:
            file.truncate(self.SIZE)
        run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "nodiscard,lazy_itable_init=0", str(self._file))
        self.mount()

    def mount(self):
        run("mount", "-o", "loop", str(self._file), str(self.path))

    def unmount(self):
        run("umount", str(self.path))

    def close(self):
        self.unmount()
        run("umount", str(self._memory))

    def fill(self, left):
        """Leaves `left` bytes of free space."""
        free = os.statvfs(self.path)
        with open(self._ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - left)

    def free(self):
        self._ballast.unlink()

    @property
    def _ballast(self):
        return self.path / "ballast"

    def fail_flushes(self):
        """Makes the tmpfs hardly larger than what is in it. Whatever is soon written to a new place of the image stays
        in the page cache, and the flush that should carry it there fails."""
        memory = os.statvfs(self._memory)
        used = (memory.f_blocks - memory.f_bfree) * memory.f_frsize
        # Others write meanwhile, and a limit below what is there would be refused.
        run("mount", "-o", f"remount,size={used + _MIB}", str(self._memory))

    def cut_power(self):
        """From now on nothing reaches the image any more; what was not flushed is lost."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _WITHOUT_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def repair(self):
        """A sound disk again, with what had reached it; nobody may have files open there."""
        run("mount", "-o", f"remount,size={self.SIZE + 64 * _MIB}", str(self._memory))
        self.unmount()
        # Replays the journal and clears the note of the error, as a machine does when it starts. Status 1: repaired.
        checked = subprocess.run(["e2fsck", "-p", str(self._file)], capture_output=True, text=True)
        if checked.returncode > 1:
            raise OSError(f"e2fsck finds {self._file} beyond repair: {checked.stdout}{checked.stderr}")
        self.mount()


def check(directory):
    """Fails unless `Image` does on this machine what it says: shown by the kernel's answers, not by a broker's."""
    disk = Image(directory)
    try:
        _expect_kept_and_lost(disk)
        disk.fail_flushes()
        _expect_failing_flush(disk)
        disk.repair()
        disk.fill(left=_MIB)
        _expect_error(disk.path / "full", 4 * _MIB)
        disk.free()
    finally:
        disk.close()


def _expect_kept_and_lost(disk):
    path = disk.path / "file"
    with open(path, "wb") as file:
        file.write(b"flushed")
        file.flush()
        os.fsync(file.fileno())
        file.write(b", and not")
        file.flush()
        disk.cut_power()
    disk.repair()
    if path.read_bytes() != b"flushed":
        raise OSError("after a power cut the disk has not what was flushed, and that alone")


def _expect_failing_flush(disk):
    _expect_error(disk.path / "unflushed", 16 * _MIB)


def _expect_error(path, size):
    try:
        with open(path, "wb") as file:
            file.write(os.urandom(size))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return
    raise OSError(f"{size} bytes were written and flushed where that should have failed")
