import Columns
import Core
import EngineFixtures
import Files
import Randomness
import TableSchema
import Testing

@testable import Parts

/// Parts that end early, have other bytes, or were made to mislead: they are refused, or read as what they say.
struct PartDamageTests {
    private let table = EveryTypeTable.make(unit: .month)
    private let path: String
    private let bytes: [UInt8]
    private let rows: [[Cell]]

    init() throws {
        var random = SeededRandom(seed: 12)
        var style = EveryTypeTable.Style()
        style.spread = 86_400_000_000_000
        let rows = EveryTypeTable.rows(120, &random, style)
        let disk = SimulatedFileSystem(seed: 1)
        path = try PartFixtures.write(BatchOfCells.make(rows, table), table, to: disk)[0].path
        bytes = disk.bytes(of: path) ?? []
        self.rows = NaiveOrder.partitions(of: rows, table: table)[0].rows
    }

    /// Opens the bytes and reads every column in every way.
    private func readAll(_ bytes: [UInt8]) throws -> [[Cell]] {
        let disk = SimulatedFileSystem(seed: 1)
        _ = try disk.open(path, .create)
        disk.edit(path) { $0 = bytes }
        let part = try PartFixtures.open(path, table, on: disk)
        let rows = try part.naiveRows()
        _ = try part.mayContain(BloomKeys.hash(TraceID(high: 1, low: 2)), column: EveryTypeTable.traceID)
        _ = try part.blocks(mayContaining: 77, column: EveryTypeTable.traceID)
        for column in table.columns.indices {
            _ = try part.dictionary(column)
            for block in 0..<part.blockCount { _ = part.zone(column, block: block) }
        }
        for key in part.attributeKeys(EveryTypeTable.attributes) {
            for block in 0..<part.blockCount {
                _ = try part.readSubcolumns(EveryTypeTable.attributes, key: key, block: block)
            }
        }
        _ = part.attributeKeys(EveryTypeTable.nested, field: EveryTypeTable.nestedAttributes)
        return rows
    }

    @Test func `the part is whole`() throws {
        #expect(try readAll(bytes) == rows)
    }

    @Test func `a part that ends early is refused`() {
        for end in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: PartError.self) { try readAll(Array(bytes[..<end])) }
        }
        #expect(throws: PartError.self) { try readAll(Array(bytes.dropLast())) }
        #expect(throws: PartError.self) { try readAll(bytes + [0]) }
    }

    @Test(arguments: 1...300 as ClosedRange<UInt64>)
    func `a byte that is not what was written is noticed`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var changed = bytes
        let at = random.oneIn(3) ? bytes.count - 1 - random.below(600) : random.below(bytes.count)
        changed[at] ^= UInt8(1 << random.below(8))
        do {
            // Bytes 12 to 15 have no meaning; whatever else is read must be what was written.
            #expect(try readAll(changed) == rows, "byte \(at)")
        } catch {
            #expect(error is PartError)
        }
    }

    @Test func `each byte of header and trailer counts`() {
        for at in Array(0..<12) + Array((bytes.count - PartLayout.trailerLength)..<bytes.count) {
            var changed = bytes
            changed[at] ^= 0x41
            #expect(throws: PartError.self, "byte \(at) of \(bytes.count)") { try readAll(changed) }
        }
    }

    @Test func `a version that is not known is named`() {
        var changed = bytes
        changed[8] = 9
        #expect(throws: PartError.unsupportedVersion(9)) { try readAll(changed) }
    }

    @Test func `a part of another table is refused`() throws {
        var other = table
        other.id = TableID(number: 901)
        let disk = SimulatedFileSystem(seed: 1)
        _ = try disk.open(path, .create)
        disk.edit(path) { $0 = bytes }
        #expect(throws: PartError.wrongTable(expected: TableID(number: 901), found: TableID(number: 900))) {
            try PartFixtures.open(path, other, on: disk)
        }
    }

    /// The part's bytes with another footer, whose checksum is right.
    private func withFooter(_ change: (inout [UInt8]) -> Void) throws -> [UInt8] {
        let disk = SimulatedFileSystem(seed: 1)
        _ = try disk.open(path, .create)
        disk.edit(path) { $0 = bytes }
        var footer = try PartFixtures.open(path, table, on: disk).footer.encoded()
        change(&footer)
        let trailer = bytes.count - PartLayout.trailerLength
        let offset = bytes[trailer..<(trailer + 8)].reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        return Array(bytes[..<Int(offset)]) + footer + offset.littleEndianBytes
            + UInt64(footer.count).littleEndianBytes.prefix(4) + [0, 0, 0, 0] + XXH3.hash(footer).littleEndianBytes
            + PartLayout.magic
    }

    @Test func `a footer that is written again is the same part`() throws {
        #expect(try readAll(try withFooter { _ in }) == rows)
    }

    @Test(arguments: 1...400 as ClosedRange<UInt64>)
    func `a footer that misleads is refused or read, and never traps`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let hostile = try withFooter { footer in
            for _ in 0..<(1 + random.below(3)) {
                let at = random.below(footer.count)
                switch random.below(4) {
                case 0: footer[at] = UInt8(truncatingIfNeeded: random.next())
                case 1: footer[at] = random.pick([0, 1, 0x7F, 0x80, 0xFF])
                case 2: footer.insert(contentsOf: random.bytes(1 + random.below(4)), at: at)
                default: footer.remove(at: at)
                }
            }
        }
        do {
            _ = try readAll(hostile)
        } catch {
            #expect(error is PartError)
        }
    }

    @Test(
        arguments: [
            [0xFF, 0xFF, 0xFF, 0xFF, 0x0F], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
            [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], [0x80, 0x80, 0x80, 0x08],
        ] as [[UInt8]])
    func `huge numbers anywhere in a footer are refused or read`(number: [UInt8]) throws {
        let length = try withFooter { _ in }.count
        var at = 0
        while true {
            var isInside = false
            let hostile = try withFooter { footer in
                guard at < footer.count else { return }
                isInside = true
                footer.replaceSubrange(at..<(at + 1), with: number)
            }
            guard isInside else { break }
            do { _ = try readAll(hostile) } catch { #expect(error is PartError) }
            at += 3
        }
        #expect(at > 100 && length > 0)
    }
}
