"""Unpack the old Unix ``compress`` format (.Z), which Python's library does not read.

The pen strokes are published in it. Codes of 9 to 16 bits, least significant bit first, are
written in groups of eight; when the code width grows, or the table is cleared, the rest of the
running group is padding. Source: Welch, "A Technique for High-Performance Data Compression",
IEEE Computer 17 (6), 1984, and the behaviour of ncompress 4.2.
"""

from __future__ import annotations

_CLEAR = 256


def unpack_lzw(data: bytes, limit: int) -> bytes:
    """Return the unpacked content of a .Z file, magic bytes 1F 9D included, up to `limit` bytes.

    Raises
    ------
    ValueError
        If the header is not that of a .Z file, or a code points outside the table. The format
        has no length and no checksum: that a file is cut between two codes cannot be seen, so
        compare a hash of the result.
    """
    if len(data) < 3 or data[:2] != b"\x1f\x9d":
        raise ValueError("not a .Z file")
    max_width, block_mode = data[2] & 0x1F, bool(data[2] & 0x80)
    if not 10 <= max_width <= 16:  # ncompress writes 9 in a way of its own
        raise ValueError(f"code width {max_width}")
    table = [bytes((i,)) for i in range(256)] + ([b""] if block_mode else [])
    first = len(table)
    width, position, group = 9, 24, 24  # positions in bits; group = start of this width's codes
    end = 8 * len(data)
    previous = b""
    pieces: list[bytes] = []
    size = 0
    while position + width <= end and size < limit:
        byte = position >> 3
        code = int.from_bytes(data[byte : byte + 4], "little") >> (position & 7)
        code &= (1 << width) - 1
        position += width
        if block_mode and code == _CLEAR:
            del table[first:]
            position = group + -(-(position - group) // (8 * width)) * 8 * width
            width, group, previous = 9, position, b""
            continue
        if code < len(table):
            entry = table[code]
        elif code == len(table) and previous:
            entry = previous + previous[:1]
        else:
            raise ValueError(f"code {code} outside the table")
        pieces.append(entry)
        size += len(entry)
        if previous and len(table) < 1 << max_width:
            table.append(previous + entry[:1])
        previous = entry
        if len(table) >= 1 << width and width < max_width:
            position = group + -(-(position - group) // (8 * width)) * 8 * width
            width, group = width + 1, position
    return b"".join(pieces)
