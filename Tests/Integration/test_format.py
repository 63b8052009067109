"""Golden parts, read by the text of docs/FORMAT.md alone (part_reader.py), against the rows that were written to them."""
import pathlib

import pytest

from part_reader import TEMPLATES, Part, Source, Template, decompress, xxh3

ROOT = pathlib.Path(__file__).parents[2]
GOLDEN = ROOT / "Tests/Golden/parts"
FIXED = {"FixedString(8)": 8, "FixedString(16)": 16}


class Column:
    def __init__(self, number, name, type_name):
        self.number, self.name, self.fields = number, name, []
        self.type, self.nothing = "integer", 0
        if type_name == "Nested":
            self.type = "nested"
        elif type_name.startswith("Map("):
            self.type = "attributes"
        elif type_name.startswith("Array("):
            self.type, self.nothing = "floats" if "Float" in type_name else "integers", []
        elif type_name in FIXED:
            self.type, self.nothing = "bytes", bytes(FIXED[type_name])
        elif "String" in type_name or type_name.startswith("AggregateFunction"):
            self.type, self.nothing = "bytes", b""
        elif type_name == "Float64":
            self.type = "float"


def columns_of(lines):
    """Columns from lines as `1.13 distribution.count UInt64`, fields behind their column."""
    columns = []
    for line in lines:
        number, name, type_name = line.split(maxsplit=2)
        column = Column(int(number.split(".")[-1]), name.split(".")[-1], type_name)
        (columns[-1].fields if "." in name else columns).append(column)
    return columns


def tables():
    """By name: a table's number and columns. Those of Schema/ stand in its lock; the others are the tests' own."""
    found, numbers = {}, {}
    for line in (ROOT / "Schema/LOCK").read_text().splitlines():
        words = line.split(maxsplit=1)
        if words[:1] == ["table"]:
            number, name = words[1].split()
            numbers[number] = name
            found[name] = (int(number), [])
        elif words[:1] == ["column"]:
            found[numbers[words[1].split(".")[0]]][1].append(words[1])
    found = {name: (number, columns_of(lines)) for name, (number, lines) in found.items()}
    found["every_type"] = (900, columns_of([
        "1 time DateTime64(9)", "2 number Int64", "3 float Float64", "4 trace_id FixedString(16)",
        "5 span_id FixedString(8)", "6 text String", "7 label LowCardinality(String)", "8 attributes Map()",
        "9 naturals Array(UInt64)", "10 doubles Array(Float64)", "11 nested Nested", "12 nested.n Int64",
        "13 nested.s LowCardinality(String)", "14 nested.a Map()", "15 nested.xs Array(UInt64)",
        "16 nested.id FixedString(8)"]))
    found["every_index"] = (901, columns_of([
        "1 time DateTime64(9)", "2 series LowCardinality(String)", "3 trace_id FixedString(16)",
        "4 span_id FixedString(8)", "5 parent_span_id FixedString(8)", "6 total Float64", "7 text String",
        "8 attributes Map()"]))
    found["every_template"] = (902, columns_of(["1 time DateTime64(9)", "2 text String"]))
    return found


# Rows as text


def text_of_bytes(value):
    is_plain = all(0x20 <= byte < 0x7F and byte not in b'"\\#' for byte in value)
    return f'"{value.decode()}"' if is_plain else f'"#{value.hex()}"'


def text_of_attribute(key, kind, value):
    if kind == 0:
        value = b""
    elif kind in (2, 3):
        value = (value & (1 << 64) - 1).to_bytes(8, "little")
    elif kind == 4:
        value = value.to_bytes(8, "little")
    assert kind != 8, "golden parts have no overflow"
    return f"[{text_of_bytes(key)},{kind},{text_of_bytes(value)}]"


def text(column, value):
    if column.type == "integer":
        return str(value)
    if column.type == "float":
        return f'"{value:#x}"'
    if column.type == "bytes":
        return text_of_bytes(value)
    if column.type == "integers":
        return "[" + ",".join(map(str, value)) + "]"
    if column.type == "floats":
        return "[" + ",".join(f'"{bits:#x}"' for bits in value) + "]"
    if column.type == "attributes":
        return "[" + ",".join(text_of_attribute(*attribute) for attribute in value) + "]"
    rows = ("[" + ",".join(text(field, cell) for field, cell in zip(column.fields, row)) + "]" for row in value)
    return "[" + ",".join(rows) + "]"


def line_of(columns, row):
    return "{" + ",".join(f'"{column.name}":{text(column, value)}' for column, value in zip(columns, row)) + "}"


# Indexes


def may_contain(lines, value):
    """A split-block Bloom filter's answer for a hash."""
    salts = (0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D, 0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31)
    start = ((value >> 32) * (len(lines) // 32) >> 32) * 32
    words = [int.from_bytes(lines[start + 4 * i:start + 4 * i + 4], "little") for i in range(8)]
    return all(word >> (((value & 0xFFFFFFFF) * salt & 0xFFFFFFFF) >> 27) & 1 for word, salt in zip(words, salts))


class Bits:
    """Bits, low ones first."""

    def __init__(self, data):
        self.rest = int.from_bytes(data, "little")

    def take(self, count):
        value = self.rest & (1 << count) - 1
        self.rest >>= count
        return value

    def rice(self, width):
        quotient = 0
        while not self.take(1):
            assert self.rest, "the page ends"
            quotient += 1
        return quotient << width | self.take(width)


def blocks_of(bits, count):
    """The blocks of one token."""
    width = (count - 1).bit_length()
    if bits.take(1):
        return {bits.take(width)}
    if bits.take(1):
        some = bits.rice(1) + 2
        rest = max((count // some - 1).bit_length() - 1, 0)
        found, last = set(), -1
        for _ in range(some):
            last += bits.rice(rest) + 1
            found.add(last)
        return found
    if bits.take(1):
        return {block for block in range(count) if bits.take(1)}
    return set(range(count))


class TokenIndex:
    def __init__(self, part, column, kind, first, count, start, directory):
        self.kind, self.first, self.count = kind, first, count
        source = Source(part.data[directory.offset:directory.end])
        assert xxh3(source.data) & 0xFFFFFFFF == directory.checksum
        data = part.data[start:directory.offset]
        if kind == 1:
            lines = [source.varint() for _ in range(count)]
            at, self.filters = 0, []
            for some in lines:
                self.filters.append(data[at:at + 32 * some])
                at += 32 * some
            for page in range(0, at, 4096):
                assert xxh3(data[page:min(page + 4096, at)]) & 0xFFFFFFFF == source.fixed(4)
            assert at == len(data)
        else:
            self.bits, rest = source.fixed(1), source.fixed(1)
            self.tokens, at, begin = {}, 0, 0
            for _ in range(source.varint()):
                begin += source.varint()
                entries, length, checksum = source.varint(), source.varint(), source.fixed(4)
                page = data[at:at + length]
                assert xxh3(page) & 0xFFFFFFFF == checksum
                at += length
                bits, fingerprint = Bits(page), begin
                for _ in range(entries):
                    fingerprint += bits.rice(rest)
                    self.tokens[fingerprint] = blocks_of(bits, count)
            assert at == len(data)
        self.stamps = []
        for _ in range(source.varint()):
            self.stamps.append([
                [(source.fixed(1), source.varint()) for _ in range(source.varint())] for _ in ("words", "runs")])
        source.end()

    def may_have(self, value, block):
        if self.kind == 1:
            lines = self.filters[block - self.first]
            return bool(lines) and may_contain(lines, value)
        return block - self.first in self.tokens.get(value >> (64 - self.bits), ())


CLASSES = ((b"0123456789", 1), (b"abcdef", 2), (b"ghijklmnopqrstuvwxyz", 4), (b"_", 8), (bytes(range(128, 256)), 16),
           (b".", 32), (b"/", 64), (b"-", 128))
DIGITS, HEX = b"0123456789", b"0123456789abcdef"


def pieces(value, allowed):
    """Longest sequences of some bytes."""
    found, now = [], b""
    for byte in value:
        if byte in allowed:
            now += bytes([byte])
        else:
            found.append(now)
            now = b""
    return [piece for piece in found + [now] if piece]


def tokens_of_text(value):
    """The tokens of a text, and its words and runs."""
    word_bytes = b"".join(some for some, mask in CLASSES if mask <= 16)
    tokens, words, runs = set(), [], []

    def is_digits(word, behind):
        rest = word.lstrip(DIGITS)
        return word[:1].isdigit() and len(rest) <= behind

    for run in pieces(value.lower() if value.isascii() else bytes(b + 32 if 65 <= b <= 90 else b for b in value),
                      word_bytes + b"./-"):
        run = run.strip(b"./-")
        if not run:
            continue
        runs.append(run)
        own = pieces(run, word_bytes)
        words += own
        for word in own:
            digits = len(word) - len(word.lstrip(DIGITS))
            if 0 < digits <= 5 and len(word) - digits <= 2:
                continue
            if len(own) > 1 and len(word) <= 12 and any(b in DIGITS for b in word) and (
                    all(b in HEX for b in word) or is_digits(word, 2)):
                continue
            tokens.add(word)
        is_decimal = (len(own) == 2 and run.count(b".") == 1 and len(run) == len(own[0]) + len(own[1]) + 1
                      and own[0].isdigit() and is_digits(own[1], 2))
        if len(own) >= 2 and any(b in DIGITS for b in run) and not is_decimal:
            tokens.add(run)
    return tokens, words, runs


def mix(value):
    value = value + 0x9E3779B97F4A7C15 & (1 << 64) - 1
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
    value = (value ^ value >> 27) * 0x94D049BB133111EB & (1 << 64) - 1
    return value ^ value >> 31


def tokens_of_attribute(key, kind, value):
    if kind == 8:
        return {0x9D2C56807A1E64F3}
    known = xxh3(key)
    if kind == 1 and value.isascii():
        return {known, xxh3(value, known ^ 0x76616C7565000001)}
    if kind in (2, 3):
        return {known, mix(mix(known ^ 0x696E746567000002) ^ (value & (1 << 64) - 1))}
    return {known, mix(known ^ 0x6F64640000000003)}


def check_stamps(stamps, found, is_run):
    for some in set(found):
        mask = sum(bit for allowed, bit in CLASSES if any(byte in allowed for byte in some))
        assert any(known & mask == mask and length >= min(len(some), 65535) for known, length in stamps[is_run]), some


def templates_of(part, leaf, block):
    encoding, source = part.payload(leaf.pages[block])
    if encoding != TEMPLATES:
        return None
    number, length = source.varint(), source.varint()
    table = source.section()[1]
    assert len(table.data) == length
    return [table.varint() * 0 or Template(table) for _ in range(number)]


def check_templates(part, column, kind, first, count, start, directory):
    """An index of templates knows what each page is made of, and what its slots hold."""
    stored = part.data[directory.offset:directory.end]
    assert start == directory.offset and xxh3(stored) & 0xFFFFFFFF == directory.checksum
    source = Source(decompress(stored, directory.compression, directory.raw))
    known = [Template(source) for _ in range(source.varint())]
    leaf = part.leaf(column, 0)
    for block in range(first, first + count):
        some, at, own = source.varint(), 0, []
        for _ in range(some - 1):
            at += source.varint()
            own.append(known[at])
        found = templates_of(part, leaf, block)
        assert (found is None) == (some == 0)
        for template in found or []:
            same = [other for other in own if other.constants == template.constants
                    and [slot[0] == 3 for slot in other.slots] == [slot[0] == 3 for slot in template.slots]]
            assert len(same) == 1
            digits = set(b"0123456789")
            for slot, wide in zip(template.slots, same[0].slots):
                assert wide[2] <= slot[2] and slot[3] <= wide[3]
                assert wide[4] is None or (slot[4] if slot[4] is not None else digits) <= wide[4]
    source.end()


# Tests


def golden():
    return [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in sorted(GOLDEN.glob("*/*.vp"))]


@pytest.mark.parametrize("path", golden())
def test_a_part_reads_by_the_text(path):
    number, columns = tables()[path.stem]
    part = Part(path.read_bytes())
    assert part.table == number
    found = [line_of(columns, row) for row in part.rows(columns)]
    lines = path.with_suffix(".json").read_text().splitlines()
    if path.stem == "every_index":
        lines, end = lines[:-1], lines[-1]
        digest = xxh3("".join(line + "\n" for line in found).encode())
        assert end == f'{{"rows":{len(found)},"xxh3":"{digest:x}"}}'
        found = found[::100]
    assert len(found) == len(lines)
    for row, line in zip(found, lines):
        assert row == line or row.startswith(line[:-1] + ",")


def test_origins_are_what_was_written():
    def origin(name):
        return Part((GOLDEN / "v2" / (name + ".vp")).read_bytes()).origin

    assert origin("otel_traces") == ("flushed", 40, 42, 57, 3)
    assert origin("otel_logs") == ("merged", 2, ([(1, 9), (12, 12), (300, 4000)], [3, 4, 900]), [])
    assert origin("otel_metrics") == ("aggregated", 0, ([], []), [
        (2, -5, ([(7, 7)], [])), (3, 1_700_000_000_000_000_000, ([], [1, 2, 1 << 40]))])


@pytest.mark.parametrize("path", golden())
def test_indexes_have_what_the_text_says(path):
    number, columns = tables()[path.stem]
    part = Part(path.read_bytes())
    by_number = {column.number: (column, None) for column in columns}
    for column in columns:
        by_number.update({field.number: (column, place) for place, field in enumerate(column.fields)})

    def values_of(wanted, block):
        column, field = by_number[wanted]
        values = part.column(column, part.blocks[block], block)
        return values if field is None else [row[field] for rows in values for row in rows]

    for wanted, group, page in part.blooms:
        lines = part.data[page.offset:page.end]
        assert xxh3(lines) & 0xFFFFFFFF == page.checksum
        for block in range(len(part.blocks)):
            assert all(may_contain(lines, xxh3(value)) for value in set(values_of(wanted, block))
                       if by_number[wanted][0].nothing != value)
    for entry in part.indexes:
        if entry[1] == 3:
            check_templates(part, *entry)
            continue
        index = TokenIndex(part, *entry)
        for block in range(entry[2], entry[2] + entry[3]):
            column, field = by_number[entry[0]]
            kind = (column if field is None else column.fields[field])
            values = values_of(entry[0], block)
            if kind.type == "attributes":
                hashes = {token for row in values for one in row for token in tokens_of_attribute(*one)}
            elif kind.nothing:
                hashes = {xxh3(value) for value in values if any(value)}
            else:
                hashes = set()
                for value in set(values):
                    tokens, words, runs = tokens_of_text(value)
                    hashes |= {xxh3(token) for token in tokens}
                    check_stamps(index.stamps[block - entry[2]], words, False)
                    check_stamps(index.stamps[block - entry[2]], runs, True)
            assert all(index.may_have(value, block) for value in hashes)
            if index.kind == 2:
                # Nothing else is in it: the text names all tokens. (With more blocks, nearly all may stand for all.)
                assert entry[3] < 8
                known = {value >> (64 - index.bits) for value in hashes}
                held = {token for token, blocks in index.tokens.items() if block - entry[2] in blocks}
                assert held == known
