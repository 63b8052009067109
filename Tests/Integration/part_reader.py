"""Reads parts by what docs/FORMAT.md and docs/FORMAT-encodings.md say, and by nothing else: no code of Varve's is used here."""
import ctypes
import struct

MASK = (1 << 64) - 1

_zstd = ctypes.CDLL("libzstd.so.1")
_zstd.ZSTD_decompress.restype = ctypes.c_size_t
_zstd.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
_lz4 = ctypes.CDLL("liblz4.so.1")
_xxhash = ctypes.CDLL("libxxhash.so.0")
_xxhash.XXH3_64bits.restype = ctypes.c_uint64
_xxhash.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
_xxhash.XXH3_64bits_withSeed.restype = ctypes.c_uint64
_xxhash.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]

PLAIN, CONSTANT, RUNS, PACKED, DELTA_PACKED, VARINTS, SCALED, PLANES = range(8)
DECIMAL, NEAR_DECIMAL, SPARSE, DICTIONARY, DISTANCES, ENTRIES, STRINGS, CANONICAL, ROWS = 16, 17, 24, 25, 26, 27, 32, 33, 40
TEMPLATES = 34

(INTEGERS, FLOATS, FIXED8, FIXED16, CODES, TEXTS, INTEGER_ROWS, FLOAT_ROWS, NATURALS, RELATED8, LISTED_INTEGERS,
 LISTED16) = range(12)


def xxh3(data, seed=0):
    return _xxhash.XXH3_64bits_withSeed(bytes(data), len(data), seed)


def signed(word):
    word &= MASK
    return word - (1 << 64) if word >> 63 else word


def fold(natural):
    """The number of a zigzag."""
    return signed((natural >> 1) ^ -(natural & 1))


def decompress(stored, compression, length):
    if compression == 0:
        assert len(stored) == length
        return stored
    target = ctypes.create_string_buffer(max(length, 1))
    if compression == 1:
        count = _zstd.ZSTD_decompress(target, length, stored, len(stored))
    else:
        assert compression == 2
        count = _lz4.LZ4_decompress_safe(stored, target, len(stored), length)
    assert count == length
    return target.raw[:length]


class Source:
    """Bytes that are read from the front."""

    def __init__(self, data):
        self.data = bytes(data)
        self.at = 0

    def take(self, count):
        assert 0 <= count <= len(self.data) - self.at
        self.at += count
        return self.data[self.at - count:self.at]

    def fixed(self, count):
        return int.from_bytes(self.take(count), "little")

    def varint(self):
        value = shift = 0
        while True:
            byte = self.fixed(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            assert shift < 70

    def zigzag(self):
        return fold(self.varint())

    def section(self):
        encoding, compression, raw = self.fixed(1), self.fixed(1), self.varint()
        stored = self.varint() if compression else raw
        return encoding, Source(decompress(self.take(stored), compression, raw))

    def end(self):
        assert self.at == len(self.data), "bytes are left over"


# Integers


def integers(encoding, source, count):
    values = list(_integers(encoding, source, count))
    source.end()
    assert len(values) == count
    return [signed(value) for value in values]


def section_integers(source, count):
    encoding, inner = source.section()
    return integers(encoding, inner, count)


def section_bytes(source, count):
    encoding, inner = source.section()
    assert encoding == PLAIN and len(inner.data) == count
    return inner.take(count)


def _integers(encoding, source, count):
    if encoding == PLAIN:
        return [source.fixed(8) for _ in range(count)]
    if encoding == CONSTANT:
        return [source.fixed(8)] * count
    if encoding == RUNS:
        runs = source.varint()
        values, lengths = section_integers(source, runs), section_integers(source, runs)
        return [value for value, length in zip(values, lengths) for _ in range(length)]
    if encoding == PACKED:
        return groups(source, count)
    if encoding == DELTA_PACKED:
        return sums(source.fixed(8), groups(source, count - 1))
    if encoding == VARINTS:
        assert source.fixed(1) == 1
        return sums(source.fixed(8), [source.zigzag() for _ in range(count - 1)])
    if encoding == SCALED:
        divisor, base = source.varint(), source.fixed(8)
        return [base + divisor * value for value in section_integers(source, count)]
    if encoding == PLANES:
        reference, planes = source.fixed(8), source.fixed(1)
        words = [0] * count
        for plane in range(planes):
            for row, byte in enumerate(section_bytes(source, count)):
                words[row] |= byte << (8 * plane)
        return [reference + word for word in words]
    raise AssertionError(f"encoding {encoding} of integers")


def sums(first, differences):
    values = [first]
    for difference in differences:
        values.append(values[-1] + difference)
    return values


def groups(source, count):
    values = []
    reference = 0
    while len(values) < count:
        size = min(1024, count - len(values))
        head = source.fixed(1)
        width = head & 0x7F
        reference = (reference + source.zigzag()) & MASK
        exceptions = source.varint() if head & 0x80 else 0
        words = full_group(source, width) if size == 1024 else short_group(source, width, size)
        places = [source.fixed(2) for _ in range(exceptions)]
        for place in places:
            words[place] |= source.varint() << width
        values += [(reference + word) & MASK for word in words]
    return values


def full_group(source, width):
    subcolumns, bits = (32, 32) if width <= 32 else (16, 64)
    data = source.take(128 * width)
    strings = [0] * subcolumns
    for number in range(len(data) * 8 // bits):
        word = int.from_bytes(data[number * bits // 8:(number + 1) * bits // 8], "little")
        strings[number % subcolumns] |= word << (bits * (number // subcolumns))
    mask = (1 << width) - 1
    return [strings[i % subcolumns] >> (width * (i // subcolumns)) & mask for i in range(1024)]


def short_group(source, width, count):
    bits = int.from_bytes(source.take((count * width + 7) // 8), "little")
    return [bits >> (width * i) & ((1 << width) - 1) for i in range(count)]


# Doubles, as their bits


def floats(encoding, source, count):
    values = list(_floats(encoding, source, count))
    source.end()
    assert len(values) == count
    return values


def section_floats(source, count):
    encoding, inner = source.section()
    return floats(encoding, inner, count)


def bits_of(double):
    return struct.unpack("<Q", struct.pack("<d", double))[0]


def quotient(integer, digits):
    # 10^22 is the last power of ten that is a double; the integers are, too: the division rounds once.
    return bits_of(float(integer) / float(10 ** digits))


def _floats(encoding, source, count):
    if encoding == PLAIN:
        return [source.fixed(8) for _ in range(count)]
    if encoding == CONSTANT:
        return [source.fixed(8)] * count
    if encoding == RUNS:
        runs = source.varint()
        values, lengths = section_floats(source, runs), section_integers(source, runs)
        return [value for value, length in zip(values, lengths) for _ in range(length)]
    if encoding == DECIMAL:
        digits, exceptions = source.fixed(1), source.varint()
        places = section_integers(source, exceptions) if exceptions else []
        others = [source.fixed(8) for _ in places]
        values = [quotient(integer, digits) for integer in section_integers(source, count)]
        for place, value in zip(places, others):
            values[place] = value
        return values
    if encoding == NEAR_DECIMAL:
        digits = source.fixed(1)
        numbers, residues = section_integers(source, count), section_integers(source, count)
        return [(quotient(number, digits) + residue) & MASK for number, residue in zip(numbers, residues)]
    if encoding == PLANES:
        mode = source.fixed(1)
        words = [0] * count
        for _ in range(8):
            for row, byte in enumerate(section_bytes(source, count)):
                words[row] = words[row] << 8 | byte
        for row in range(1, count if mode == 1 else 0):
            words[row] ^= words[row - 1]
        return words
    raise AssertionError(f"encoding {encoding} of doubles")


# Fixed-width values


def fixed(encoding, source, count, width):
    values = list(_fixed(encoding, source, count, width))
    source.end()
    assert len(values) == count and all(len(value) == width for value in values)
    return values


def section_fixed(source, count, width):
    encoding, inner = source.section()
    return fixed(encoding, inner, count, width)


def bitmap(source, count):
    data = section_bytes(source, (count + 7) // 8)
    return [data[i // 8] >> (i % 8) & 1 for i in range(count)]


def _fixed(encoding, source, count, width):
    if encoding == PLAIN:
        return [source.take(width) for _ in range(count)]
    if encoding == CONSTANT:
        return [source.take(width)] * count
    if encoding == RUNS:
        runs = source.varint()
        values, lengths = section_fixed(source, runs, width), section_integers(source, runs)
        return [value for value, length in zip(values, lengths) for _ in range(length)]
    if encoding == SPARSE:
        present = source.varint()
        which = bitmap(source, count)
        values = iter(section_fixed(source, present, width))
        return [next(values) if bit else bytes(width) for bit in which]
    if encoding == DICTIONARY:
        distinct = source.varint()
        data = section_bytes(source, distinct * width)
        entries = [data[i * width:(i + 1) * width] for i in range(distinct)]
        values, used = [], 0
        for code in section_integers(source, count):
            used += code == 0
            values.append(entries[used - 1] if code == 0 else entries[used - code])
        return values
    raise AssertionError(f"encoding {encoding} of fixed values")


def distances(source, siblings):
    count = len(siblings)
    kept = source.varint()
    codes = section_integers(source, count)
    literals = iter(section_fixed(source, kept, 8))
    source.end()
    values = []
    for row, code in enumerate(codes):
        if code == 0:
            values.append(bytes(8))
        elif code == 1:
            values.append(next(literals))
        else:
            other = row - code // 2 if code % 2 == 0 else row + code // 2
            assert 0 <= other < count
            values.append(siblings[other])
    return values


def id_entries(source, count, entries, zone):
    runs = source.varint()
    codes, lengths = section_integers(source, runs), section_integers(source, runs)
    source.end()
    values, last = [], 0
    for code, length in zip(codes, lengths):
        value = bytes(16)
        if code:
            last += fold(code - 1)
            assert zone[0] <= last <= zone[1]
            value = entries[last]
        values += [value] * length
    assert len(values) == count
    return values


# Strings and rows


def strings(encoding, source, count):
    values = list(_strings(encoding, source, count))
    source.end()
    assert len(values) == count
    return values


def section_strings(source, count):
    encoding, inner = source.section()
    return strings(encoding, inner, count)


def cut(data, lengths):
    source = Source(data)
    values = [source.take(length) for length in lengths]
    source.end()
    return values


def _strings(encoding, source, count):
    if encoding == CONSTANT:
        return [source.take(len(source.data))] * count
    if encoding == STRINGS:
        lengths = section_integers(source, count)
        return cut(section_bytes(source, source.varint()), lengths)
    if encoding == DICTIONARY:
        entries = section_strings(source, source.varint())
        return [entries[code] for code in section_integers(source, count)]
    if encoding == CANONICAL:
        form, filled = source.fixed(1), source.varint()
        which = bitmap(source, count) if filled < count else [1] * count
        values = iter(canonical(form, source, filled))
        return [next(values) if bit else b"" for bit in which]
    if encoding == TEMPLATES:
        return templated(source, count)
    raise AssertionError(f"encoding {encoding} of strings")


class Template:
    """Constants and slots: (kind, width, shortest, longest, the bytes of a text or None)."""

    def __init__(self, source):
        self.slots = [self._slot(source) for _ in range(source.varint())]
        assert len(self.slots) <= 64
        self.constants = cut_next(source, [source.varint() for _ in range(len(self.slots) + 1)])

    def _slot(self, source):
        kind = source.fixed(1)
        assert kind <= 3
        width = source.fixed(1) if kind == 2 else 0
        shortest = source.varint()
        longest = shortest + source.varint()
        allowed = None
        if kind == 0:
            words = source.fixed(8) | source.fixed(8) << 64
            high = source.fixed(1)
            allowed = {byte for byte in range(256) if (words >> byte & 1 if byte < 128 else high)}
        return kind, width, shortest, longest, allowed


def cut_next(source, lengths):
    return [source.take(length) for length in lengths]


def templated(source, count):
    number = source.varint()
    table = Source(section_bytes(source, source.varint()))
    groups, templates = [], []
    for _ in range(number):
        group = table.varint()
        template = Template(table)
        if group == len(groups):
            groups.append([])
        assert all(a[:2] == b[:2] for other in groups[group] for a, b in zip(templates[other].slots, template.slots))
        groups[group].append(len(templates))
        templates.append(template)
    table.end()
    codes = section_integers(source, count)
    values = {}
    for group in groups:
        rows = [row for template in group for row in range(count) if codes[row] == template]
        for slot, (kind, width, *_) in enumerate(templates[group[0]].slots):
            if kind == 3:
                continue
            if kind == 0:
                column = section_strings(source, len(rows))
            else:
                column = [str(value).zfill(width).encode() for value in section_integers(source, len(rows))]
            values.update(zip(((row, slot) for row in rows), column))
    ids = [(row, slot) for row in range(count)
           for slot, described in enumerate(templates[codes[row]].slots) if described[0] == 3]
    if ids:
        for place, value in zip(ids, section_fixed(source, len(ids), 16)):
            text = value.hex()
            values[place] = "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:])).encode()
    texts = []
    for row in range(count):
        template = templates[codes[row]]
        text = template.constants[0]
        for slot, (_, _, shortest, longest, allowed) in enumerate(template.slots):
            value = values[row, slot]
            assert shortest <= len(value) <= longest and (allowed is None or set(value) <= allowed)
            text += value + template.constants[slot + 1]
        texts.append(text)
    return texts


def canonical(form, source, count):
    if form == 1:
        assert source.varint() == 16
        texts = [value.hex() for value in section_fixed(source, count, 16)]
        return ["-".join((t[:8], t[8:12], t[12:16], t[16:20], t[20:])).encode() for t in texts]
    if form == 2:
        return [str(value).encode() for value in section_integers(source, count)]
    if form == 3:
        return [".".join(map(str, value.to_bytes(4, "big"))).encode() for value in section_integers(source, count)]
    assert form == 4
    width = source.varint()
    if width:
        return [value.hex().encode() for value in section_fixed(source, count, width)]
    lengths = section_integers(source, count)
    return [value.hex().encode() for value in cut(section_bytes(source, source.varint()), lengths)]


def lists(encoding, source, count, of_floats):
    assert encoding == ROWS or (encoding == PLAIN and count == 0)
    if count == 0:
        return []
    lengths = section_integers(source, count)
    total = source.varint()
    assert sum(lengths) == total
    if of_floats:
        items = section_floats(source, total)
        mode = 0
    else:
        mode = source.fixed(1)
        items = section_integers(source, total)
    source.end()
    rows, at = [], 0
    for length in lengths:
        row = items[at:at + length]
        at += length
        if mode == 1 and rows and len(rows[-1]) == length:
            row = [signed(a + b) for a, b in zip(row, rows[-1])]
        rows.append(row)
    return rows


# A part


class Page:
    def __init__(self, footer, offset):
        self.encoding, self.compression = footer.fixed(1), footer.fixed(1)
        self.count, self.raw, self.stored = footer.varint(), footer.varint(), footer.varint()
        self.checksum = footer.fixed(4) if self.stored else None
        self.offset, self.end = offset, offset + self.stored


def pages(footer, count):
    found, offset = [], footer.zigzag()
    for _ in range(count):
        found.append(Page(footer, offset))
        offset = found[-1].end
    return found


class Leaf:
    pass


class Part:
    def __init__(self, data):
        self.data = data
        assert data[:8] == data[-8:] == b"VARVEP01"
        version, zero = struct.unpack("<II", data[8:16])
        assert version in (1, 2, 3) and zero == 0
        offset, length, compression, checksum = struct.unpack("<QIIQ", data[-32:-8])
        stored = data[offset:-32]
        assert xxh3(stored) == checksum
        footer = Source(decompress(stored, compression, length))
        self.table, self.fingerprint = footer.varint(), footer.fixed(8)
        self.partition, self.least, self.greatest = footer.zigzag(), footer.zigzag(), footer.zigzag()
        self.groups = []
        for _ in range(footer.varint()):
            self.groups.append([footer.varint() for _ in range(footer.varint())])
        self.blocks = [rows for group in self.groups for rows in group]
        self.dictionaries = []
        for _ in range(footer.varint()):
            entries, is_sorted, count = footer.varint(), footer.varint(), footer.varint()
            self.dictionaries.append((entries, is_sorted, pages(footer, count)))
        self.leaves = [self._leaf(footer) for _ in range(footer.varint())]
        self.shapes = {}
        for _ in range(footer.varint()):
            column = footer.varint()
            subcolumns = [(footer.take(footer.varint()), footer.varint()) for _ in range(footer.varint())]
            shapes = [[footer.varint() for _ in range(footer.varint())] for _ in range(footer.varint())]
            self.shapes[column] = (subcolumns, shapes)
        self.blooms = [(footer.varint(), footer.varint(), pages(footer, 1)[0]) for _ in range(footer.varint())]
        self.indexes = []
        for _ in range(footer.varint() if version > 1 or footer.at < len(footer.data) else 0):
            column, kind, first, count, start = [footer.varint() for _ in range(4)] + [footer.zigzag()]
            self.indexes.append((column, kind, first, count, start, pages(footer, 1)[0]))
        self.origin = self._origin(footer) if version > 1 else None
        footer.end()
        self._lists = {}

    def _origin(self, footer):
        kind = footer.varint()
        if kind == 0:
            return None
        if kind == 1:
            previous = footer.varint()
            first = previous + 1 + footer.varint()
            return "flushed", previous, first, first + footer.varint(), footer.varint()
        level = footer.varint() if kind in (2, 3) else 0
        own = self._rows(footer)
        folded = [(footer.varint(), footer.zigzag(), self._rows(footer)) for _ in range(footer.varint())]
        return {2: "merged", 3: "repaired", 4: "aggregated"}[kind], level, own, folded

    def _rows(self, footer):
        positions, end = [], -2
        for _ in range(footer.varint()):
            first = end + 2 + footer.varint()
            end = first + footer.varint()
            positions.append((first, end))
        parts, last = [], -1
        for _ in range(footer.varint()):
            last += 1 + footer.varint()
            parts.append(last)
        return positions, parts

    def _leaf(self, footer):
        leaf = Leaf()
        leaf.column, leaf.role, leaf.subcolumn, leaf.kind, leaf.reference = (footer.varint() for _ in range(5))
        leaf.pages = [page for group in self.groups for page in pages(footer, len(group))]
        leaf.zones = None
        if footer.varint():
            leaf.zones = []
            for _ in self.blocks:
                least = footer.zigzag()
                leaf.zones.append((least, signed(least + footer.varint())))
        return leaf

    def payload(self, page):
        stored = self.data[page.offset:page.end]
        assert page.checksum is None or xxh3(stored) & 0xFFFFFFFF == page.checksum
        return page.encoding, Source(decompress(stored, page.compression, page.raw))

    def entries(self, number, read):
        """All entries of a dictionary or list."""
        if number not in self._lists:
            count, is_sorted, found = self.dictionaries[number]
            values = [value for page in found for value in read(*self.payload(page), page.count)]
            assert len(values) == count and (not is_sorted or values == sorted(set(values)))
            self._lists[number] = values
        return self._lists[number]

    def values(self, leaf, block):
        page = leaf.pages[block]
        encoding, source = self.payload(page)
        count, kind = page.count, leaf.kind
        if kind in (INTEGERS, NATURALS, LISTED_INTEGERS):
            if encoding == ENTRIES:
                entries = self.entries(leaf.reference - 1, integers)
                inner = section_integers(source, count)
                source.end()
                values = [entries[entry] for entry in inner]
            else:
                values = integers(encoding, source, count)
            if leaf.zones and values:
                assert leaf.zones[block] == (min(values), max(values))
            return values
        if kind == FLOATS:
            return floats(encoding, source, count)
        if kind == RELATED8 and encoding == DISTANCES:
            return distances(source, self.values(self.leaves[leaf.reference - 1], block))
        if kind == LISTED16 and encoding == ENTRIES:
            entries = self.entries(leaf.reference - 1, lambda e, s, c: fixed(e, s, c, 16))
            return id_entries(source, count, entries, leaf.zones[block])
        if kind in (FIXED8, FIXED16, RELATED8, LISTED16):
            return fixed(encoding, source, count, 8 if kind in (FIXED8, RELATED8) else 16)
        if kind == CODES:
            codes = [code & 0xFFFFFFFF for code in integers(encoding, source, count)]
            if leaf.zones and codes:
                assert leaf.zones[block] == (min(codes), max(codes))
            entries = self.entries(leaf.reference - 1, strings)
            return [entries[code] for code in codes]
        if kind == TEXTS:
            return strings(encoding, source, count)
        assert kind in (INTEGER_ROWS, FLOAT_ROWS)
        return lists(encoding, source, count, kind == FLOAT_ROWS)

    def leaf(self, column, role, subcolumn=0):
        return next((x for x in self.leaves if (x.column, x.role, x.subcolumn) == (column, role, subcolumn)), None)

    def column(self, column, count, block):
        """The values of a column in a block; of one that the part lacks, zeros and empty."""
        if column.type == "nested":
            lengths = self.leaf(column.number, 1)
            if lengths is None:
                return [[] for _ in range(count)]
            lengths = self.values(lengths, block)
            fields = [self.column(field, sum(lengths), block) for field in column.fields]
            inner = [list(row) for row in zip(*fields)]
            rows, at = [], 0
            for length in lengths:
                rows.append(inner[at:at + length])
                at += length
            return rows
        if column.type == "attributes":
            leaf = self.leaf(column.number, 2)
            if leaf is None:
                return [[] for _ in range(count)]
            subcolumns, shapes = self.shapes[column.number]
            values = [iter(self.values(self.leaf(column.number, 3, subcolumn), block)) for subcolumn in range(len(subcolumns))]
            rows = [[(*subcolumns[subcolumn], next(values[subcolumn])) for subcolumn in shapes[shape]] for shape in self.values(leaf, block)]
            assert all(next(rest, None) is None for rest in values)
            return rows
        leaf = self.leaf(column.number, 0)
        if leaf is None:
            return [column.nothing] * count
        return self.values(leaf, block)

    def rows(self, columns):
        for block, count in enumerate(self.blocks):
            values = [self.column(column, count, block) for column in columns]
            assert all(len(some) == count for some in values)
            yield from zip(*values)
