"""Ports of the two bus interfaces: AXI4 (AMBA AXI and ACE Protocol Specification, IHI 0022E) and AXI4-Lite."""

from __future__ import annotations

from amaranth.hdl import Module, ShapeLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.registers import REGISTER_ADDRESS_BITS

CHANNELS = ("ar", "r", "aw", "w", "b")
"""What the names of each channel's signals begin with."""

RESPONSE_OKAY = 0
RESPONSE_SLVERR = 2
BURST_INCREMENTING = 1
CACHE_NORMAL_BUFFERABLE = 0b0011
"""AxCACHE: normal, non-cacheable, bufferable memory."""


def _address_channel(config: AcceleratorConfig, prefix: str) -> dict[str, Member]:
    ports: dict[str, ShapeLike] = {
        "id": 1,
        "addr": config.address_bits,
        "len": 8,
        "size": 3,
        "burst": 2,
        "cache": 4,
        "prot": 3,
    }
    outputs = {f"{prefix}{name}": Out(shape) for name, shape in ports.items()}
    return {**outputs, f"{prefix}valid": Out(1), f"{prefix}ready": In(1)}


def read_channels(config: AcceleratorConfig) -> wiring.Signature:
    """AR and R of an AXI4 master."""
    return wiring.Signature(
        {
            **_address_channel(config, "ar"),
            "rid": In(1),
            "rdata": In(8 * config.bus_bytes),
            "rresp": In(2),
            "rlast": In(1),
            "rvalid": In(1),
            "rready": Out(1),
        }
    )


def write_channels(config: AcceleratorConfig) -> wiring.Signature:
    """AW, W and B of an AXI4 master."""
    return wiring.Signature(
        {
            **_address_channel(config, "aw"),
            "wdata": Out(8 * config.bus_bytes),
            "wstrb": Out(config.bus_bytes),
            "wlast": Out(1),
            "wvalid": Out(1),
            "wready": In(1),
            "bid": In(1),
            "bresp": In(2),
            "bvalid": In(1),
            "bready": Out(1),
        }
    )


def memory_master(config: AcceleratorConfig) -> wiring.Signature:
    """All five channels of the AXI4 master."""
    return wiring.Signature({**read_channels(config).members, **write_channels(config).members})


def register_slave() -> wiring.Signature:
    """All five channels of the AXI4-Lite slave in front of the registers."""
    return wiring.Signature(
        {
            "awaddr": In(REGISTER_ADDRESS_BITS),
            "awprot": In(3),
            "awvalid": In(1),
            "awready": Out(1),
            "wdata": In(32),
            "wstrb": In(4),
            "wvalid": In(1),
            "wready": Out(1),
            "bresp": Out(2),
            "bvalid": Out(1),
            "bready": In(1),
            "araddr": In(REGISTER_ADDRESS_BITS),
            "arprot": In(3),
            "arvalid": In(1),
            "arready": Out(1),
            "rdata": Out(32),
            "rresp": Out(2),
            "rvalid": Out(1),
            "rready": In(1),
        }
    )


def payload(channel: str, bus: wiring.Signature) -> dict[str, Member]:
    """What a channel of a bus carries beside VALID and READY, by names without the channel's."""
    names = {name: name.removeprefix(channel) for name in bus.members if name.startswith(channel)}
    return {rest: bus.members[name] for name, rest in names.items() if rest not in ("valid", "ready")}


def flat(prefix: str, signature: wiring.Signature) -> dict[str, Member]:
    """The signature's members under ``prefix_name``, the port names that other tools expect."""
    return {f"{prefix}_{name}": member for name, member in signature.members.items()}


def connect_flat(
    m: Module, outside: wiring.Component, prefix: str, inside: object, signature: wiring.Signature
) -> None:
    """Wire a component's flat ports to a submodule's interface of the same signature."""
    for name, member in signature.members.items():
        outer, inner = getattr(outside, f"{prefix}_{name}"), getattr(inside, name)
        m.d.comb += outer.eq(inner) if member.flow == Out else inner.eq(outer)
