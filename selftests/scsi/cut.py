#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""cut.py TARGET-PORT OPCODE N [COMMAND...] - a link to an iSCSI target that breaks once.

Prints the port where it listens.  As soon as the Nth SCSI command with this operation code has
been passed on it runs the command, if any, and closes both ends of the connection; what connects
later is passed on as it is.
"""
import select
import socket
import subprocess
import sys
import threading

BHS = 48
SCSI_COMMAND = 0x01


class Link:
    """What has come from the initiator, cut into PDUs."""

    def __init__(self, opcode, count, command):
        self.opcode, self.left, self.command = opcode, count, command
        self.lock = threading.Lock()

    def breaks(self, pdu):
        with self.lock:
            if pdu[0] & 0x3f != SCSI_COMMAND or pdu[32] != self.opcode or not self.left:
                return False
            self.left -= 1
            return not self.left


def pdu_length(head):
    """With the additional header and the data; digests are not used by the tests."""
    data = int.from_bytes(head[5:8], "big")
    return BHS + 4 * head[4] + (data + 3) // 4 * 4


def pump(initiator, target, link):
    data = bytearray()
    while True:
        for end in select.select([initiator, target], [], [])[0]:
            got = end.recv(1 << 18)
            if not got:
                return
            if end is target:
                initiator.sendall(got)
                continue
            data += got
            while len(data) >= BHS and len(data) >= pdu_length(data):
                pdu, data = data[:pdu_length(data)], data[pdu_length(data):]
                target.sendall(pdu)
                if link.breaks(pdu):
                    if link.command:
                        subprocess.run(link.command, check=False)
                    return


def serve(initiator, port, link):
    try:
        with initiator, socket.create_connection(("127.0.0.1", port)) as target:
            pump(initiator, target, link)
    except OSError:
        initiator.close()


def main():
    port, opcode, count = (int(word, 0) for word in sys.argv[1:4])
    link = Link(opcode, count, sys.argv[4:])
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            initiator = server.accept()[0]
            threading.Thread(target=serve, args=(initiator, port, link), daemon=True).start()


main()
