"""The other end of a machine's network cable: a DHCP, DNS and NTP server that speaks Ethernet over UDP datagrams.

QEMU's `-netdev socket,udp=` hands every frame to a port of the loopback, so a server on port 53 or 123 of the guest's
network needs neither root nor a packet filter. Just enough of RFC 826 (ARP), 2131 (DHCP), 1035 (DNS) and 5905 (NTP).
"""

import ipaddress
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

NETWORK = ipaddress.ip_network("192.0.2.0/24")
SERVER = ipaddress.ip_address("192.0.2.1")
GUEST = ipaddress.ip_address("192.0.2.10")
NAME = "answer.assembler.test"
ADDRESS = ipaddress.ip_address("198.51.100.7")
"""What `NAME` resolves to. No other name exists here."""

_MAC = bytes.fromhex("02005e000201")
_NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970."""


class Wire:
    """Answers the machine whose card is `Hardware.wires == ((wire.port, wire.qemu_port),)`."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.qemu_port: int = probe.getsockname()[1]
        self.answered: list[str] = []
        """What was asked for and given, in order: ``dhcp ack``, ``dns answer.assembler.test``, ``ntp`` ..."""
        self._stopped = False
        self._thread = threading.Thread(target=self._serve, name="wire", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            frame = self._socket.recv(1 << 16)
            if self._stopped:
                return
            answer = self._ethernet(frame)
            if answer:
                self._socket.sendto(answer, ("127.0.0.1", self.qemu_port))

    def _ethernet(self, frame: bytes) -> bytes | None:
        if len(frame) < 34:
            return None
        guest, kind, payload = frame[6:12], frame[12:14], frame[14:]
        answer = {b"\x08\x06": self._arp, b"\x08\x00": self._ip}.get(kind, lambda _: None)(payload)
        return answer and (guest + _MAC + kind + answer).ljust(60, b"\0")

    def _arp(self, packet: bytes) -> bytes | None:
        operation, sender, wanted = packet[6:8], packet[8:18], packet[24:28]
        if operation != b"\0\1" or wanted != SERVER.packed:
            return None
        return b"\0\1\x08\0\6\4\0\2" + _MAC + SERVER.packed + sender

    def _ip(self, packet: bytes) -> bytes | None:
        header = (packet[0] & 15) * 4
        if packet[9] != socket.IPPROTO_UDP:
            return None
        source, target, length = struct.unpack_from(">HHH", packet, header)
        serve = {67: self._dhcp, 53: self._dns, 123: self._ntp}.get(target)
        answer = serve and serve(packet[header + 8 : header + length])
        if not answer:
            return None
        to = b"\xff" * 4 if target == 67 else packet[12:16]
        total = 28 + len(answer)
        plain = struct.pack(">BBHHHBBH", 0x45, 0, total, 0, 0, 64, socket.IPPROTO_UDP, 0) + SERVER.packed + to
        summed = sum(struct.unpack(">10H", plain))
        summed = (summed & 0xFFFF) + (summed >> 16)
        checked = plain[:10] + struct.pack(">H", ~(summed + (summed >> 16)) & 0xFFFF) + plain[12:]
        return checked + struct.pack(">HHHH", target, source, 8 + len(answer), 0) + answer

    def _dhcp(self, message: bytes) -> bytes | None:
        options = dict(_options(message[240:]))
        kind = {1: 2, 3: 5}.get(options.get(53, b"\0")[0])  # a DISCOVER gets an OFFER, a REQUEST an ACK
        if kind is None:
            return None
        self.answered.append("dhcp offer" if kind == 2 else "dhcp ack")
        fields = b"\2" + message[1:12] + message[12:16] + GUEST.packed + SERVER.packed + bytes(4) + message[28:44]
        given = {
            53: bytes([kind]),
            54: SERVER.packed,
            51: struct.pack(">I", 86400),
            1: NETWORK.netmask.packed,
            6: SERVER.packed,
            42: SERVER.packed,
        }
        listed = b"".join(bytes([code, len(value)]) + value for code, value in given.items())
        return fields + bytes(192) + b"\x63\x82\x53\x63" + listed + b"\xff"

    def _dns(self, query: bytes) -> bytes | None:
        labels, at = [], 12
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode())
            at += 1 + length
        question, kind = query[12 : at + 5], query[at + 1 : at + 3]
        name = ".".join(labels).lower()
        self.answered.append(f"dns {name}")
        found = name == NAME
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + ADDRESS.packed if found and kind == b"\0\1" else b""
        # Authoritative, recursion available; NXDOMAIN for what is not there.
        flags = 0x8580 | (0 if found else 3)
        return query[:2] + struct.pack(">HHHHH", flags, 1, 1 if answer else 0, 0, 0) + question + answer

    def _ntp(self, request: bytes) -> bytes | None:
        self.answered.append("ntp")
        now = time.time() + _NTP_EPOCH
        stamp = struct.pack(">II", int(now), int(now % 1 * (1 << 32)))
        # No leap second, version 4, server; stratum 1, polled each 64 s, precise to a microsecond.
        return b"\x24\1\6\xec" + bytes(8) + b"TEST" + stamp + request[40:48] + stamp + stamp


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        length = data[at + 1]
        yield data[at], data[at + 2 : at + 2 + length]
        at += 2 + length


@contextmanager
def plugged_in() -> Iterator[Wire]:
    """A wire that answers while the context lasts."""
    wire = Wire()
    wire.start()
    try:
        yield wire
    finally:
        wire.stop()
