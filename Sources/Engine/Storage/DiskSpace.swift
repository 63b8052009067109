package import Files
private import Synchronization

/// How full the disk is, and what that leaves to be done.
///
/// ```
/// free bytes   0 ──────────── full ──────────── low ─────────────▶
///              nothing is     merges            everything
///              ingested       stop, too
/// ```
///
/// A file beside the data holds a reserve: when a write finds no space, it is removed, so that what is in memory can be flushed, and
/// parts can be dropped. While it is away its size does not count as free, so that it is not eaten by ingest. A state is left a
/// little later than it is entered, so that it does not flutter.
package final class DiskSpace: Sendable {
    /// Where nothing is said, a mark is the least of a size and of a share of the file system as it is now, which may be small, and may
    /// grow.
    package struct Limits: Sendable {
        /// Bytes that are set aside.
        package var reserve: Int64?
        /// With fewer free bytes merges stop, and there is a warning.
        package var low: Int64?
        /// With fewer free bytes ingest stops.
        package var full: Int64?

        package init(reserve: Int64? = nil, low: Int64? = nil, full: Int64? = nil) {
            self.reserve = reserve
            self.low = low
            self.full = full
        }

        fileprivate func marks(of total: Int64) -> Marks {
            let full = full ?? min(256 << 20, total / 16)
            return Marks(
                reserve: reserve ?? min(256 << 20, total / 16), low: max(low ?? Self.low(of: total), full), full: full)
        }

        /// Free bytes below which parts are not merged.
        package static func low(of total: Int64) -> Int64 { min(1 << 30, total / 4) }
    }

    /// Limits, for a file system.
    fileprivate struct Marks {
        var reserve: Int64
        var low: Int64
        var full: Int64
    }

    package enum State: Int, Sendable { case plenty, low, full }

    /// Why nothing is taken.
    package struct Full: Error, Hashable, Sendable, CustomStringConvertible {
        package let free: Int64
        package let wanted: Int64

        package var description: String {
            "the disk is full: \(free) bytes are free, and data is taken again from \(wanted) on"
        }
    }

    package enum Event: Hashable, Sendable {
        case state(State, free: Int64)
        case reserveUsed
        case reserveRestored
        /// There is no room for the reserve.
        case noReserve(FileError?)
    }

    private struct Contents {
        var state = State.plenty
        var free = Int64.max
        /// Bytes that are set aside now.
        var reserve: Int64 = 0
        /// As of the last look.
        var marks = Marks(reserve: 0, low: 0, full: 0)
        var checked: ContinuousClock.Instant?
        /// When the reserve may be tried again.
        var nextReserve: ContinuousClock.Instant?
    }

    /// How old the knowledge of free space may be.
    private static let patience = Duration.milliseconds(50)
    private static let reservePause = Duration.seconds(5)

    private let directory: String
    private let fileSystem: any FileSystem
    private let limits: Limits
    private let contents = Mutex(Contents())
    private let report: @Sendable (Event) -> Void

    package init(
        directory: String, fileSystem: any FileSystem, limits: Limits,
        report: @escaping @Sendable (Event) -> Void = { _ in }
    ) {
        self.directory = directory
        self.fileSystem = fileSystem
        self.limits = limits
        self.report = report
        let size = (try? fileSystem.size(of: Self.path(directory))) ?? 0
        contents.withLock { $0.reserve = limits.reserve == 0 ? 0 : size }
        check()
    }

    static func path(_ directory: String) -> String { directory + "/RESERVE" }

    /// Looks at the disk.
    package func check() {
        for event in contents.withLock({ look(&$0) }) { report(event) }
    }

    /// - Throws: while nothing may be ingested.
    package func admit() throws(Full) {
        let (events, refusal) = contents.withLock { contents in
            let isFresh = contents.checked.map { ContinuousClock.now - $0 < Self.patience } ?? false
            let events = isFresh ? [] : look(&contents)
            let refusal = Full(free: contents.free, wanted: Self.leave(contents.marks.full))
            return (events, contents.state == .full ? refusal : nil)
        }
        for event in events { report(event) }
        if let refusal { throw refusal }
    }

    package var state: State { contents.withLock { $0.state } }
    /// Without the reserve, whether it is set aside or in use.
    package var free: Int64 { contents.withLock { $0.free } }
    package var reserved: Int64 { contents.withLock { $0.reserve } }

    /// To be called when a write found no space.
    package func useReserve() {
        let isUsed = contents.withLock { contents in
            guard contents.reserve > 0 else { return false }
            do throws(FileError) { try fileSystem.remove(Self.path(directory)) } catch { return false }
            contents.reserve = 0
            contents.nextReserve = .now + Self.reservePause
            return true
        }
        if isUsed { report(.reserveUsed) }
        check()
    }

    /// Where a state is left that is entered below `limit`.
    private static func leave(_ limit: Int64) -> Int64 { limit + limit / 8 }

    private func look(_ contents: inout Contents) -> [Event] {
        contents.checked = .now
        guard let raw = try? fileSystem.freeSpace(at: directory),
            let total = try? fileSystem.totalSpace(at: directory)
        else { return [] }
        let marks = limits.marks(of: total)
        contents.marks = marks
        var events: [Event] = []
        contents.free = contents.reserve > 0 ? raw : max(0, raw - marks.reserve)
        // One of another size is from another setting; where there is none, one of half the size from when the file system was smaller.
        let isWanted = limits.reserve.map { contents.reserve != $0 } ?? (contents.reserve <= marks.reserve / 2)
        if isWanted, marks.reserve > 0, contents.nextReserve.map({ .now >= $0 }) ?? true {
            events += restoreReserve(&contents, raw)
        }
        let full = contents.state == .full ? Self.leave(marks.full) : marks.full
        let low = contents.state == .plenty ? marks.low : Self.leave(marks.low)
        let state: State = contents.free < full ? .full : contents.free < low ? .low : .plenty
        if state != contents.state {
            contents.state = state
            events.append(.state(state, free: contents.free))
        }
        return events
    }

    private func restoreReserve(_ contents: inout Contents, _ free: Int64) -> [Event] {
        let isFirst = contents.nextReserve == nil
        contents.nextReserve = .now + Self.reservePause
        let marks = contents.marks
        // Only where it leaves ingest its room.
        guard free + contents.reserve - marks.reserve >= marks.full else { return isFirst ? [.noReserve(nil)] : [] }
        do throws(FileError) {
            let path = Self.path(directory)
            if try fileSystem.exists(path) { try fileSystem.remove(path) }
            contents.reserve = 0
            let file = try fileSystem.open(path, .create)
            defer { file.close() }
            try file.allocate(marks.reserve)
            contents.reserve = marks.reserve
            return isFirst ? [] : [.reserveRestored]
        } catch {
            try? fileSystem.remove(Self.path(directory))
            return isFirst ? [.noReserve(error)] : []
        }
    }

    /// Removes a reserve that a start would find no room beside.
    static func makeRoom(in directory: String, _ fileSystem: any FileSystem) {
        guard let free = try? fileSystem.freeSpace(at: directory), free < 16 << 20 else { return }
        try? fileSystem.remove(path(directory))
    }
}
