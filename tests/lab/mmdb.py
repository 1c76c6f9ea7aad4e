# SPDX-License-Identifier: BSD-2-Clause
"""Writes databases in the MaxMind DB format (specification 2.0), as GeoIP databases are, of networks that a test names."""

import ipaddress
import os
import struct
import time

MARK = b"\xab\xcd\xefMaxMind.com"
TEXT, UINT16, UINT32, MAP, UINT64, ARRAY = 2, 5, 6, 7, 9, 11


def control(kind, size):
    """What tells a value's type and size."""
    for code, base, room in ((29, 29, 1), (30, 285, 2), (31, 65821, 3)):
        if base <= size < base + (1 << 8 * room):
            first, more = code, (size - base).to_bytes(room, "big")
    if size < 29:
        first, more = size, b""
    return (bytes([kind << 5 | first]) if kind <= 7 else bytes([first, kind - 7])) + more


def encode(value, kind=UINT32):
    """A value that is text, a number of the kind, a list, or a map; (kind, number) says another kind."""
    if isinstance(value, str):
        return control(TEXT, len(value.encode())) + value.encode()
    if isinstance(value, tuple):
        return encode(value[1], value[0])
    if isinstance(value, dict):
        return control(MAP, len(value)) + b"".join(encode(key) + encode(inner) for key, inner in value.items())
    if isinstance(value, list):
        return control(ARRAY, len(value)) + b"".join(map(encode, value))
    number = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return control(kind, len(number)) + number


class Database:
    """An IPv6 tree with 28-bit records; IPv4 lies below ::/96, and 2002::/16 and ::ffff:0:0/96 are aliases of it."""

    def __init__(self, kind="Test-Country"):
        self.kind = kind
        self.nodes = [[None, None]]
        self.data = b""
        self.places = {}

    def find(self, bits):
        """(node, which of its records) at the end of the path; what was known of a network is known of its halves."""
        node = 0
        for bit in bits[:-1]:
            record = self.nodes[node][bit]
            if not isinstance(record, int):
                self.nodes.append([record, record])
                record = self.nodes[node][bit] = len(self.nodes) - 1
            node = record
        return self.nodes[node], bits[-1]

    def add(self, prefix, record):
        network = ipaddress.ip_network(prefix)
        skip = 96 if network.version == 4 else 0
        number = int(network.network_address)
        bits = [number >> (127 - at) & 1 for at in range(skip + network.prefixlen)]
        encoded = encode(record)
        if encoded not in self.places:
            self.places[encoded] = len(self.data)
            self.data += encoded
        node, bit = self.find(bits)
        node[bit] = (self.places[encoded],)
        return self

    def country(self, prefix, country, continent="EU"):
        return self.add(prefix, {"continent": {"code": continent, "names": {"en": "A continent"}},
                                 "country": {"geoname_id": 1, "iso_code": country}})

    def asn(self, prefix, number):
        return self.add(prefix, {"autonomous_system_number": number, "autonomous_system_organization": "Test"})

    def alias(self):
        node, bit = self.find([0] * 96)
        if isinstance(node[bit], int):
            for prefix in ("::ffff:0:0/96", "2002::/16"):
                network = ipaddress.ip_network(prefix)
                bits = [int(network.network_address) >> (127 - at) & 1 for at in range(network.prefixlen)]
                other, which = self.find(bits)
                other[which] = node[bit]

    def number(self, record):
        if record is None:
            return len(self.nodes)
        return record if isinstance(record, int) else len(self.nodes) + 16 + record[0]

    def bytes(self):
        self.alias()
        tree = b""
        for left, right in (map(self.number, node) for node in self.nodes):
            tree += struct.pack(">I", left << 8 | (left >> 24) << 4 | right >> 24) + struct.pack(">I", right)[1:]
        metadata = {"binary_format_major_version": (UINT16, 2), "binary_format_minor_version": (UINT16, 0),
                    "build_epoch": (UINT64, int(time.time())), "database_type": self.kind, "description": {"en": "Test"},
                    "ip_version": (UINT16, 6), "languages": ["en"], "node_count": len(self.nodes),
                    "record_size": (UINT16, 28)}
        return tree + bytes(16) + self.data + MARK + encode(metadata)

    def write(self, path):
        """Renamed over what is there, as those who fetch databases should."""
        with open(f"{path}.new", "wb") as file:
            file.write(self.bytes())
        os.replace(f"{path}.new", path)
        return str(path)
