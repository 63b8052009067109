import Archive
import Core
import EngineFixtures
import Files
import Randomness
import Testing

/// Archived documents: whole or not there, whatever happens, found again, bounded, and checked when they are read.
struct TraceFilesTests {
    private static let trace = TraceID(high: 0xAB, low: 1)
    private static let other = TraceID(high: 0xAB, low: 2)
    private static let path = "/data/archive/default/\(trace.hex).trace"

    private func files(_ disk: SimulatedFileSystem, _ change: (inout TraceFiles.Limits) -> Void = { _ in }) throws
        -> TraceFiles
    {
        var limits = TraceFiles.Limits()
        change(&limits)
        return try TraceFiles(directory: "/data", fileSystem: disk, limits: limits)
    }

    private func document(_ seed: UInt64, count: Int = 3_000) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() % 40) + 32 }
    }

    @Test func `what is kept is there at once, and in the next life`() throws {
        let disk = SimulatedFileSystem(seed: 1)
        let first = try files(disk)
        #expect(try first.document(of: Self.trace, tenant: .default) == nil)
        try first.keep(document(1), of: Self.trace, tenant: .default)
        try first.keep([], of: Self.other, tenant: .default)
        try first.keep(document(2), of: Self.trace, tenant: .default)
        let tenant = try #require(TenantID("b"))
        try first.keep(document(3), of: Self.trace, tenant: tenant)
        disk.crash()
        let next = try files(disk)
        for files in [next, try files(disk)] {
            #expect(files.count == 3)
            #expect(files.bytes == disk.files.reduce(0) { $0 + Int64(disk.bytes(of: $1)?.count ?? 0) })
            #expect(try files.document(of: Self.trace, tenant: .default) == document(2))
            #expect(try files.document(of: Self.other, tenant: .default) == [])
            #expect(try files.document(of: Self.trace, tenant: tenant) == document(3))
            #expect(try files.document(of: Self.other, tenant: tenant) == nil)
        }
        #expect(first.bytes == next.bytes)
    }

    /// The power goes, or the process, during each operation of a first and of a second writing.
    @Test(arguments: [true, false], 0..<6 as Range<UInt64>)
    func `at whatever time it ends, a document is whole or not there`(powerGoes: Bool, seed: UInt64) throws {
        for at in 1..<40 {
            let disk = SimulatedFileSystem(seed: seed &* 100 &+ UInt64(at))
            disk.setPlan(powerGoes ? .crash(at: at) : .fail(at: at, code: 5, count: 1_000))
            var kept: [UInt8]?
            var tried: [[UInt8]] = []
            do {
                let files = try files(disk)
                for round in 1...3 as ClosedRange<UInt64> {
                    tried.append(document(round))
                    try files.keep(document(round), of: Self.trace, tenant: .default)
                    kept = document(round)
                }
            } catch {}
            if powerGoes { disk.crash() } else { disk.kill() }
            let found = try files(disk).document(of: Self.trace, tenant: .default)
            // What was acknowledged is there; or what came after it, if only its acknowledgement is missing.
            if let found { #expect(tried.contains(found), "operation \(at)") }
            #expect(found == kept || found == tried.last, "operation \(at)")
            #expect(kept == nil || found != nil, "operation \(at)")
            #expect(disk.files.allSatisfy { $0.hasSuffix(".trace") }, "operation \(at): \(disk.files)")
        }
    }

    @Test func `a file with a flipped bit, a cut one and a foreign one are told, and others are read`() throws {
        let disk = SimulatedFileSystem(seed: 3)
        let files = try files(disk)
        try files.keep(document(1), of: Self.trace, tenant: .default)
        try files.keep(document(2), of: Self.other, tenant: .default)
        let whole = try #require(disk.bytes(of: Self.path))
        for at in stride(from: 0, to: whole.count, by: 7) {
            disk.edit(Self.path) { $0[at] ^= 1 << UInt8(at % 8) }
            #expect(throws: TraceFiles.Failure.damaged(Self.path), "byte \(at)") {
                try files.document(of: Self.trace, tenant: .default)
            }
            disk.edit(Self.path) { $0 = whole }
        }
        for count in [0, 1, 23, 24, 25, whole.count - 1] {
            disk.edit(Self.path) { $0 = Array(whole.prefix(count)) }
            #expect(throws: TraceFiles.Failure.damaged(Self.path)) {
                try files.document(of: Self.trace, tenant: .default)
            }
        }
        disk.edit(Self.path) { $0 = whole + [0] }
        #expect(throws: TraceFiles.Failure.damaged(Self.path)) { try files.document(of: Self.trace, tenant: .default) }
        #expect(try files.document(of: Self.other, tenant: .default) == document(2))
        // A damaged file is replaced like any other.
        try files.keep(document(1), of: Self.trace, tenant: .default)
        #expect(try files.document(of: Self.trace, tenant: .default) == document(1))
    }

    @Test func `a file that claims more than it may hold is not believed`() throws {
        let disk = SimulatedFileSystem(seed: 4)
        try files(disk).keep(document(1), of: Self.trace, tenant: .default)
        let strict = try files(disk) { $0.documentBytes = 2_999 }
        #expect(throws: TraceFiles.Failure.self) { try strict.document(of: Self.trace, tenant: .default) }
    }

    @Test func `there is room for so many, of such size, and what was there before makes room for its successor`()
        throws
    {
        let disk = SimulatedFileSystem(seed: 5)
        let few = try files(disk) {
            $0.files = 1
            $0.documentBytes = 3_000
        }
        #expect(throws: TraceFiles.Failure.tooLarge(bytes: 3_001, limit: 3_000)) {
            try few.keep(document(1, count: 3_001), of: Self.trace, tenant: .default)
        }
        try few.keep(document(1), of: Self.trace, tenant: .default)
        try few.keep(document(2), of: Self.trace, tenant: .default)
        #expect(throws: TraceFiles.Failure.full("the archive holds 1 traces, as many as it may")) {
            try few.keep(document(3), of: Self.other, tenant: .default)
        }
        let used = few.bytes
        let tight = try files(disk) { $0.bytes = used + 100 }
        #expect(throws: TraceFiles.Failure.self) { try tight.keep(document(3), of: Self.other, tenant: .default) }
        try tight.keep(document(2), of: Self.trace, tenant: .default)
        #expect(try tight.document(of: Self.trace, tenant: .default) == document(2))
        #expect(try tight.document(of: Self.other, tenant: .default) == nil)
    }

    @Test func `a full disk is told, and leaves nothing behind`() throws {
        let disk = SimulatedFileSystem(seed: 6)
        let files = try files(disk)
        try files.keep(document(1), of: Self.trace, tenant: .default)
        disk.setFull(true)
        do {
            try files.keep(document(2), of: Self.other, tenant: .default)
            Issue.record("the disk is full")
        } catch TraceFiles.Failure.file(let error) {
            #expect(error.isOutOfSpace)
        }
        #expect(disk.files == [Self.path])
        disk.setFull(false)
        try files.keep(document(2), of: Self.other, tenant: .default)
        #expect(files.count == 2)
    }

    @Test func `foreign files and folders are let be`() throws {
        let disk = SimulatedFileSystem(seed: 7)
        try disk.createDirectory("/data/archive/default/folder.trace")
        try disk.createDirectory("/data/archive/not a tenant")
        for name in [
            "default/notes.txt", "default/xyz.trace", "file", "default/\(String(repeating: "1", count: 33)).trace",
        ] {
            try disk.open("/data/archive/\(name)", .create).append([1])
        }
        let files = try files(disk)
        #expect(files.count == 0)
        #expect(disk.files.count == 4)
    }
}
