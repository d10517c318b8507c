"""Mounts a filesystem that never answers over a directory, until standard input ends.

A FUSE mount whose requests nobody reads: every call into it waits, as into a hard-mounted NFS whose server is gone.
Closing the device at the end aborts the connection, so whoever waits gets ENOTCONN.
"""

import ctypes
import os
import sys

MNT_DETACH = 2


def main(directory: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40755,user_id=0,group_id=0".encode()
    if libc.mount(b"silent", directory.encode(), b"fuse", 0, options) != 0:
        sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")
    print("mounted", flush=True)
    sys.stdin.read()
    libc.umount2(directory.encode(), MNT_DETACH)
    os.close(device)


main(sys.argv[1])
