"""What the kernels of a cubin take, read from its ELF file: what ``ptxas -v`` prints, without a toolkit.

The sections ``.nv.info`` hold records: form, attribute, and a 16-bit value or, in form 4, that many bytes of contents.
The numbers of the attributes are those that the CUDA toolkit's own tools print (``cuobjdump -elf``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SIZED = 4   # the form of a record whose contents follow
MAX_THREADS, FRAME_SIZE, REGISTER_COUNT = 0x05, 0x11, 0x2F
# Shared memory that the system takes in each block since compute capability 9.0, where this section is.
RESERVED_SECTION, RESERVED = ".nv.shared.reserved.0", 1024


@dataclass(frozen=True)
class Resources:
    """Of one kernel.

    registers: per thread. stack: bytes of local memory per thread, with those of registers that were spilled. shared:
    static bytes per block. threads: per block at most, by its launch bounds; 0 where it has none.
    """

    registers: int
    stack: int
    shared: int
    threads: int


@dataclass(frozen=True)
class Section:
    """A named part of an ELF file; `contents` is empty where the file holds none of it."""

    name: str
    size: int
    contents: bytes


def resources(cubin: bytes) -> dict[str, Resources]:
    """What each kernel of a cubin takes."""
    sections = {section.name: section for section in _sections(cubin)}
    symbols = list(_symbols(sections))
    registers, stack = (
        {symbols[index]: value for index, value in _pairs(sections[".nv.info"].contents, attribute)}
        for attribute in (REGISTER_COUNT, FRAME_SIZE)
    )
    return {
        name: Resources(count, stack[name], _shared(sections, name), _threads(sections[f".nv.info.{name}"].contents))
        for name, count in registers.items() if f".nv.info.{name}" in sections
    }


def _sections(cubin: bytes) -> Iterator[Section]:
    table, = struct.unpack_from("<Q", cubin, 40)
    width, count, names = struct.unpack_from("<HHH", cubin, 58)
    rows = [struct.unpack_from("<IIQQQQ", cubin, table + width * number) for number in range(count)]
    text = rows[names][4]
    for name, kind, _, _, start, size in rows:
        empty = kind == 8   # SHT_NOBITS
        yield Section(_text(cubin, text + name), size, b"" if empty else cubin[start:start + size])


def _symbols(sections: dict[str, Section]) -> Iterator[str]:
    table, text = sections[".symtab"].contents, sections[".strtab"].contents
    for start in range(0, len(table), 24):
        yield _text(text, struct.unpack_from("<I", table, start)[0])


def _text(contents: bytes, start: int) -> str:
    return contents[start:contents.index(b"\0", start)].decode()


def _records(contents: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(contents):
        form, attribute, size = struct.unpack_from("<BBH", contents, at)
        at += 4
        length = size if form == SIZED else 0
        yield attribute, contents[at:at + length]
        at += length


def _pairs(contents: bytes, wanted: int) -> Iterator[tuple[int, int]]:
    """(index of a symbol, value) of the records of one attribute."""
    for attribute, value in _records(contents):
        if attribute == wanted:
            yield struct.unpack("<II", value)


def _threads(contents: bytes) -> int:
    found = [value for attribute, value in _records(contents) if attribute == MAX_THREADS]
    if not found:
        return 0
    x, y, z = struct.unpack("<III", found[0])
    return x * y * z


def _shared(sections: dict[str, Section], kernel: str) -> int:
    section = sections.get(f".nv.shared.{kernel}")
    if section is None:
        return 0
    return section.size - (RESERVED if RESERVED_SECTION in sections else 0)
