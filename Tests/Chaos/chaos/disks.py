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
# LOOP_GET_STATUS64 and LOOP_SET_STATUS64 of linux/loop.h, the size of their structure, and lo_sizelimit in it.
_LOOP_GET_STATUS, _LOOP_SET_STATUS, _LOOP_INFO_BYTES, _LOOP_SIZE_LIMIT = 0x4C05, 0x4C04, 232, 32
_SECTOR = 512


class Directory:
    def __init__(self, path):
        self.path = path
        path.mkdir(parents=True)

    def close(self):
        pass


class Image:
    """An ext4 file system in a sparse file that is kept in memory."""

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
        """Whatever is written back from now on fails in the block layer, and the flush that waits for it with it.

        The device says that it ends before the first block of the file system. (A backing file that runs out of space
        would not do: the loop driver takes a short write for a whole one, so that flushes succeed which did not.)
        """
        self._limit(_SECTOR)

    def _limit(self, size):
        """How much of the image the loop device shows; 0 for all."""
        device = run("findmnt", "--noheadings", "--output", "SOURCE", "--mountpoint", str(self.path)).strip()
        with open(device, "rb") as file:
            status = bytearray(_LOOP_INFO_BYTES)
            fcntl.ioctl(file, _LOOP_GET_STATUS, status)
            struct.pack_into("Q", status, _LOOP_SIZE_LIMIT, size)
            fcntl.ioctl(file, _LOOP_SET_STATUS, bytes(status))

    def cut_power(self):
        """From now on nothing reaches the image any more; what was not flushed is lost."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _WITHOUT_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def repair(self):
        """A sound disk again, with what had reached it; nobody may have files open there."""
        self._limit(0)
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
