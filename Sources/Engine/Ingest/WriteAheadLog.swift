package import Files
private import Glibc
package import Observability
internal import Scheduling
package import Storage
private import Synchronization

/// When a request counts as durable.
package enum Durability: String, Sendable, CaseIterable {
    /// Its bytes are on the disk: the default.
    case fsync
    /// The operating system has its bytes: lost when power fails, kept when the process is killed.
    case written
    /// It is in the memtable; the log is written behind.
    case memory
}

/// Why a request could not be logged.
package enum IngestError: Error, Sendable, Hashable {
    /// The disk refused; nothing of the request is stored, and it may be sent again.
    case unavailable(String)
    /// What the tenant sent, or all of them did, is not written to parts fast enough: its memtable, or all memory, is full.
    case overloaded(Share)
    /// The tenant has a partition with too many parts that are not merged yet.
    case tooManyParts
    /// The server is shutting down.
    case closed

    /// What `WriteAheadLog.wait` throws.
    package static let notLogged = IngestError.unavailable("the write-ahead log could not be written")

    /// Whose memory.
    package enum Share: Hashable, Sendable { case tenant, server }
}

/// The log of request bodies as they were received, in segments, with one sync for all requests that wait.
///
/// 1. Positions ascend in the order of `enqueue`, over all segments, and are never reused.
/// 2. `wait` returns once every record up to the position is durable as the mode demands.
/// 3. A failed write or sync fails every record that is not durable yet: nothing of them is acknowledged. The log then refuses
///    records until `restart` has begun a new segment, whose header says which position was the last durable one; records of
///    older segments above it are not replayed.
/// 4. A segment is removed once all its records are in parts.
package final class WriteAheadLog: Sendable {
    /// A segment that has grown to this length is complete.
    package static let segmentLength: Int64 = 64 << 20
    /// A segment that is shorter is not completed early.
    private static let leastRotation: Int64 = 256 << 10
    /// Bytes of records that are gathered for one write; a longer body is written from where it is.
    private static let gatherLimit = 256 << 10
    /// How many damaged places of a segment are copied to quarantine at most.
    private static let quarantineLimit = 100

    private struct Pending {
        let position: UInt64
        let request: LoggedRequest
    }

    /// One that wants to know of its record; it is told alone, so that the others sleep on.
    private struct Waiter {
        let position: UInt64
        let tell: @Sendable (Bool) -> Void
    }

    private struct State {
        var nextPosition: UInt64
        var durable: UInt64
        var queue: [Pending] = []
        var failure: String?
        /// Positions that failed for good; the last few, for those who still wait for them.
        var failed: [ClosedRange<UInt64>] = []
        var waiting: [Waiter] = []
        var isClosed = false
        /// The segment is to be completed although it is not long.
        var isRotationWanted = false
        /// By segment number, for those that are complete: the last position in each.
        var closedSegments: [(number: UInt64, last: UInt64)] = []

        /// Whether the record at the position is durable or will never be; nil while that is open.
        func isDurable(_ position: UInt64) -> Bool? {
            if failed.contains(where: { $0.contains(position) }) { return false }
            return durable >= position ? true : nil
        }
    }

    private let directory: String
    private let fileSystem: any AppendableFiles
    private let durability: Durability
    private let compression: LogCompression
    private let times: WorkTimes
    private let segmentLength: Int64
    private let quarantine: Quarantine?
    private let state: Monitor<State>
    private let segment: Mutex<Segment>
    private let writer: Mutex<WorkerThread?>

    private struct Segment {
        var file: (any File)?
        var number: UInt64
        var length: Int64 = 0
        var last: UInt64 = 0
        var salt: UInt32 = 0
    }

    /// - Parameters:
    ///   - flushed: a position that is in parts; new ones are above it.
    ///   - quarantine: where damaged records are copied to.
    package init(
        directory: String, fileSystem: any AppendableFiles, durability: Durability,
        compression: LogCompression = .none, flushed: UInt64, segmentLength: Int64 = WriteAheadLog.segmentLength,
        quarantine: Quarantine? = nil, times: WorkTimes = WorkTimes()
    ) {
        self.times = times
        self.quarantine = quarantine
        self.directory = directory
        self.fileSystem = fileSystem
        self.durability = durability
        self.compression = compression
        self.segmentLength = segmentLength
        state = Monitor(State(nextPosition: flushed + 1, durable: flushed))
        segment = Mutex(Segment(file: nil, number: 1))
        writer = Mutex(nil)
    }

    /// Hands every record that is in the log to `replay`, in order, then begins a new segment and takes requests. To be called
    /// once, before any other method.
    ///
    /// - Parameter wasFlushed: whether a record's rows were in parts before the start. Segments that have only such records go at
    ///   once, so that a server that is started again and again gathers none; nil leaves them to `release`.
    package func start(
        wasFlushed: ((ReplayedRequest) -> Bool)? = nil, report: (_ segment: String, SegmentScan) -> Void,
        replay: (ReplayedRequest) -> Void
    ) throws(FileError) {
        try fileSystem.createDirectory(directory)
        var firstKept = UInt64.max
        let segments = try replayAll(report) { record in
            if firstKept == .max, let wasFlushed, !wasFlushed(record) { firstKept = record.position }
            replay(record)
        }
        state.notifying { $0.closedSegments = segments }
        segment.withLock { $0.number = (segments.last?.number ?? 0) + 1 }
        if wasFlushed != nil { release(through: firstKept - 1) }
        try beginSegment(durableBefore: state.withLock { $0.durable })
        let thread = WorkerThread { [weak self] in
            while let log = self, log.writeNextGroup() {}
        }
        writer.withLock { $0 = thread }
    }

    private func replayAll(
        _ report: (String, SegmentScan) -> Void, _ replay: (ReplayedRequest) -> Void
    ) throws(FileError) -> [(number: UInt64, last: UInt64)] {
        let log = try LogReplay(directory: directory, fileSystem: fileSystem)
        var segments: [(number: UInt64, last: UInt64)] = []
        try log.run { (file, scan, last) throws(FileError) in
            for range in scan.skipped.prefix(Self.quarantineLimit) {
                // What cannot be copied is told of all the same; the segment itself stays until its other records are in parts.
                _ = try? quarantine?.copy(file, range, reason: "damaged records of the write-ahead log")
            }
            // A process that was killed leaves records that it had not synced: they are about to be shown.
            let opened = try fileSystem.open(file.path, .update)
            defer { opened.close() }
            try opened.sync()
            let number = log.segments[segments.count].number
            report(LogReplay.name(number), scan)
            segments.append((number, last))
        } _: { record in
            state.notifying { state in
                state.durable = max(state.durable, record.position)
                state.nextPosition = max(state.nextPosition, record.position + 1)
            }
            replay(record)
        }
        return segments
    }

    private func beginSegment(durableBefore: UInt64) throws(FileError) {
        let number = segment.withLock { $0.number }
        let path = directory + "/" + LogReplay.name(number)
        let file = try fileSystem.open(path, .create)
        let salt = UInt32.random(in: 0 ... .max)
        let header = LogSegmentHeader.bytes(
            durableBefore: durableBefore, salt: salt, version: compression == .lz4 ? 2 : 1)
        do throws(FileError) {
            try file.append(header)
            try file.sync()
            try fileSystem.syncDirectory(directory)
        } catch {
            // There is nothing in it, and another attempt takes another number.
            try? fileSystem.remove(path)
            throw error
        }
        segment.withLock {
            $0.file = file
            $0.length = Int64(header.count)
            $0.salt = salt
        }
    }

    // MARK: Writing

    /// The request as it is to be put in line; costs time, and needs no lock.
    package func compressed(_ request: LoggedRequest) -> LoggedRequest {
        times.measure(.log) { compression.apply(to: request) }
    }

    /// Puts a request in line and answers its position. The order of calls is the order of replay.
    package func enqueue(_ request: LoggedRequest) throws(IngestError) -> UInt64 {
        let result: Result<UInt64, IngestError> = state.notifying { state in
            if state.isClosed { return .failure(.closed) }
            if let failure = state.failure { return .failure(.unavailable(failure)) }
            let position = state.nextPosition
            state.nextPosition += 1
            state.queue.append(Pending(position: position, request: request))
            if durability == .memory { state.durable = position }
            return .success(position)
        }
        return try result.get()
    }

    /// Says once whether the record at `position` is durable as the mode demands, or will never be: at once if that is known, else
    /// from the log's own thread, which must not be kept.
    package func whenSettled(_ position: UInt64, _ tell: @escaping @Sendable (_ isDurable: Bool) -> Void) {
        let known: Bool? = state.withLock { state in
            if let known = state.isDurable(position) { return known }
            state.waiting.append(Waiter(position: position, tell: tell))
            return nil
        }
        if let known { tell(known) }
    }

    /// Returns once the record at `position` is durable.
    package func wait(for position: UInt64) throws(IngestError) {
        let settled = Monitor<Bool?>(nil)
        whenSettled(position) { isDurable in settled.notifying { $0 = isDurable } }
        if settled.wait(until: { $0 }) != true { throw .notLogged }
    }

    /// Makes a change that settles records, and tells those who wait for them.
    private func settle(_ change: (inout State) -> Void) {
        let settled = state.withLock { state in
            change(&state)
            let waiting = state.waiting
            state.waiting = waiting.filter { state.isDurable($0.position) == nil }
            return waiting.compactMap { waiter in state.isDurable(waiter.position).map { (waiter, $0) } }
        }
        for (waiter, isDurable) in settled { waiter.tell(isDurable) }
    }

    /// The last position that is durable.
    package var durablePosition: UInt64 { state.withLock { $0.durable } }

    package var hasFailed: Bool { state.withLock { $0.failure != nil } }

    /// Writes everything in line, and syncs once.
    ///
    /// - Returns: false when the log is closed and nothing is left.
    private func writeNextGroup() -> Bool {
        let work = state.wait { state -> (group: [Pending], rotates: Bool)? in
            if state.queue.isEmpty || state.failure != nil {
                if state.isClosed { return ([], false) }
                return state.isRotationWanted && state.failure == nil ? ([], true) : nil
            }
            defer { state.queue = [] }
            return (state.queue, state.isRotationWanted)
        }
        guard let (group, rotates) = work, rotates || !group.isEmpty else { return false }
        do throws(FileError) {
            if let last = group.last {
                try times.measure(.log) { () throws(FileError) in try write(group) }
                settle { $0.durable = max($0.durable, last.position) }
            }
            if rotates { try rotateEarly() }
        } catch {
            fail(error)
        }
        return true
    }

    private func fail(_ error: FileError) {
        settle { state in
            state.failure = error.description
            state.isRotationWanted = false
            state.queue = []
            if state.durable + 1 < state.nextPosition {
                state.failed.append((state.durable + 1)...(state.nextPosition - 1))
                state.failed = state.failed.suffix(16)
            }
        }
    }

    /// Asks for the present segment to be completed, so that it can go once its rows are in parts.
    package func rotate() {
        let isWorthIt = segment.withLock { $0.file != nil && $0.length >= Self.leastRotation }
        if isWorthIt { state.notifying { $0.isRotationWanted = true } }
    }

    private func rotateEarly() throws(FileError) {
        state.notifying { $0.isRotationWanted = false }
        let (length, last) = segment.withLock { ($0.length, $0.last) }
        if length >= Self.leastRotation { try rotate(after: last) }
    }

    private func write(_ group: [Pending]) throws(FileError) {
        let (open, salt) = segment.withLock { ($0.file, $0.salt) }
        guard let file = open else { throw FileError(.write, directory, code: EBADF) }
        var written: Int64 = 0
        var line: [UInt8] = []
        for pending in group {
            let head = LogFormat.head(pending.request, position: pending.position, salt: salt)
            let body = pending.request.body
            written += Int64(head.count + body.count)
            line += head
            if body.count < Self.gatherLimit { line += body }
            guard line.count >= Self.gatherLimit || body.count >= Self.gatherLimit else { continue }
            try file.append(line, body.count < Self.gatherLimit ? [] : body)
            line.removeAll(keepingCapacity: true)
        }
        if !line.isEmpty { try file.append(line) }
        if durability == .fsync { try file.sync() }
        let isFull = segment.withLock { segment in
            segment.length += written
            segment.last = group[group.count - 1].position
            return segment.length >= segmentLength
        }
        if isFull { try rotate(after: group[group.count - 1].position) }
    }

    private func rotate(after last: UInt64) throws(FileError) {
        let old = segment.withLock { segment in
            defer { segment.number += 1 }
            return (file: segment.file, number: segment.number)
        }
        if durability != .fsync { try old.file?.sync() }
        state.notifying { $0.closedSegments.append((old.number, last)) }
        try beginSegment(durableBefore: last)
        old.file?.close()
    }

    /// Begins a new segment after a failure. Nobody else may use the log meanwhile, and what was not durable must be forgotten.
    package func restart() throws(FileError) {
        let durable = state.withLock { $0.durable }
        segment.withLock { segment in
            segment.file?.close()
            segment.file = nil
            segment.number += 1
        }
        let number = segment.withLock { $0.number }
        state.notifying { $0.closedSegments.append((number - 1, durable)) }
        try beginSegment(durableBefore: durable)
        state.notifying { $0.failure = nil }
    }

    /// Removes segments whose records are all at or below `position`.
    package func release(through position: UInt64) {
        let numbers = state.withLock { state in
            state.closedSegments.filter { $0.last <= position }.map(\.number)
        }
        for number in numbers {
            // Oldest first, and for good: a later segment's header may disown records of an older one.
            do throws(FileError) {
                try fileSystem.remove(directory + "/" + LogReplay.name(number))
                try fileSystem.syncDirectory(directory)
            } catch {
                guard error.isNotFound else { return }
            }
            state.withLock { state in state.closedSegments.removeAll { $0.number == number } }
        }
    }

    /// Writes what is in line, and ends.
    package func close() {
        state.notifying { $0.isClosed = true }
        let thread = writer.withLock { writer in
            defer { writer = nil }
            return writer
        }
        thread?.join()
        segment.withLock {
            try? $0.file?.sync()
            $0.file?.close()
            $0.file = nil
        }
    }
}

extension File {
    /// Appends two arrays at once.
    fileprivate func append(_ first: [UInt8], _ second: [UInt8]) throws(FileError) {
        var failure: FileError?
        unsafe first.withUnsafeBytes { first in
            unsafe second.withUnsafeBytes { second in
                do throws(FileError) { try unsafe append([first, second]) } catch { failure = error }
            }
        }
        if let failure { throw failure }
    }
}
