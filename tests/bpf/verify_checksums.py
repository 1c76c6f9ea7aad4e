#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Rebuilds, with scapy, every checksum and length of every packet in a capture, and compares.

Usage: verify_checksums.py CAPTURE [LEAST]   (LEAST: how many packets there must be)
"""
import sys

from scapy.all import IP, TCP, UDP, ICMP, Ether, IPv6, PcapReader, Raw, raw
import scapy.layers.inet6 as inet6

# A layer and the fields of it that follow from the rest of the packet.
DERIVED = [
    (IP, ("len", "chksum", "ihl")),
    (IPv6, ("plen",)),
    (TCP, ("chksum", "dataofs")),
    (UDP, ("chksum", "len")),
    (ICMP, ("chksum",)),
]


def is_icmp6(layer):
    return isinstance(layer, (inet6._ICMPv6, inet6._ICMPv6Error))


def is_quote(layer):
    """What an ICMP error quotes is cut: its lengths and checksums are those of the whole packet."""
    return type(layer).__name__.endswith("error") or type(layer).__name__.endswith("inICMP") \
        or isinstance(layer, (inet6.IPerror6,))


def layers(packet):
    layer = packet
    while layer and not is_quote(layer):
        yield layer
        layer = layer.payload


def fields(packet):
    """The derived fields of all layers in front of a quote, as (name, value)."""
    for layer in layers(packet):
        for kind, names in DERIVED:
            if isinstance(layer, kind):
                for name in names:
                    yield f"{layer.name}.{name}", getattr(layer, name)
        if is_icmp6(layer):
            yield f"{layer.name}.cksum", layer.cksum


def without_derived(packet):
    """The same packet with every derived field left for scapy to fill in."""
    copy = packet.copy()
    for layer in layers(copy):
        if is_icmp6(layer):
            del layer.cksum
            if layer.payload and is_quote(layer.payload):
                quote = Raw(raw_of_payload(packet, layer))
                layer.remove_payload()
                layer.add_payload(quote)
        elif isinstance(layer, ICMP):
            del layer.chksum
            if layer.payload and is_quote(layer.payload):
                quote = Raw(raw_of_payload(packet, layer))
                layer.remove_payload()
                layer.add_payload(quote)
        for kind, names in DERIVED:
            if isinstance(layer, kind):
                for name in names:
                    delattr(layer, name)
    return copy


def raw_of_payload(packet, layer):
    """The bytes behind the same layer of the packet as it was captured."""
    for candidate in layers(packet):
        if type(candidate) is type(layer):
            found = candidate
    return found.payload.original or raw(found.payload)


def strip_padding(packet):
    for layer in layers(packet):
        if layer.payload and type(layer.payload).__name__ == "Padding":
            layer.remove_payload()
    return packet


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    least = int(sys.argv[2]) if len(sys.argv) == 3 else 1
    checked = failed = values = 0
    for number, captured in enumerate(PcapReader(sys.argv[1]), 1):
        packet = strip_padding(Ether(raw(captured)))
        rebuilt = Ether(raw(without_derived(packet)))
        have, want = list(fields(packet)), list(fields(rebuilt))
        checked += 1
        values += len(have)
        if have != want:
            failed += 1
            differing = [f"{h[0]}: {h[1]}, should be {w[1]}" for h, w in zip(have, want) if h != w]
            print(f"packet {number}: {packet.summary()}: {'; '.join(differing) or 'other layers'}")
    print(f"{checked} packets, {values} checksums and lengths: {failed} packets with wrong ones")
    if checked < least:
        print(f"at least {least} packets were expected")
    sys.exit(1 if failed or checked < least else 0)


main()
