internal import Columns
package import Core
internal import Observability
internal import Parts
package import QueryModel
package import Scheduling
internal import Storage
private import Synchronization
internal import TableSchema
internal import Telemetry

/// The streams that there are: told by dictionaries, and by zone maps which entries of them lie near a range.
extension LogReader {
    package func streams(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [Labels] {
        guard !range.isEmpty else { return [] }
        var found: Set<LogStream> = []
        var uncounted = 0
        func add(_ bytes: Span<UInt8>) {
            let stream = identities.resource(bytes).stream
            guard !found.contains(stream) else { return }
            if selectors.isEmpty || selectors.contains(where: { $0.matches(stream.labels) }) {
                found.insert(stream)
                uncounted += stream.labels.footprint
            }
        }
        func count() throws(QueryError) {
            try context.charge(bytes: uncounted)
            uncounted = 0
        }
        let snapshot = logs.snapshot(context.tenant, in: range)
        for batch in snapshot.memory {
            try context.proceed()
            let column = batch[table.resource]
            for code in usedCodes(batch, in: range) { add(column.dictionary.span(code)) }
            try count()
        }
        for handle in snapshot.parts {
            try context.proceed()
            try SourceErrors.mapping {
                try context.reading(handle) {
                    try forEachResource(of: handle.part(), in: range, context, add)
                }
            }
            try count()
        }
        return found.map(\.labels).sorted()
    }

    private func usedCodes(_ batch: ColumnBatch, in range: TimeRange) -> [Int] {
        let times = batch[table.time]
        let column = batch[table.resource]
        var isUsed = [Bool](repeating: false, count: column.dictionary.count)
        for row in 0..<batch.rowCount {
            let time = Timestamp(nanoseconds: times[row])
            if range.overlaps(first: time, last: time) { isUsed[Int(column.codes[row])] = true }
        }
        return isUsed.indices.filter { isUsed[$0] }
    }

    private func forEachResource(
        of part: Part, in range: TimeRange, _ context: QueryContext,
        _ body: (Span<UInt8>) -> Void
    ) throws(PartError) {
        let blocks = (0..<part.blockCount).filter { block in
            guard let zone = part.zone(table.time.ordinal, block: block) else { return true }
            return range.overlaps(
                first: Timestamp(nanoseconds: zone.lowerBound), last: Timestamp(nanoseconds: zone.upperBound))
        }
        guard !blocks.isEmpty else { return }
        guard let dictionary = try part.dictionary(table.resource.ordinal) else {
            for block in blocks {
                let column = try part.read(table.resource.ordinal, block: block, statistics: context.statistics)
                guard case .strings(let strings) = column else { continue }
                for entry in 0..<strings.dictionary.count { body(strings.dictionary.span(entry)) }
            }
            return
        }
        var isNear = [Bool](repeating: false, count: dictionary.count)
        for block in blocks {
            let zone = dictionary.isSorted ? part.zone(table.resource.ordinal, block: block) : nil
            for code in Self.codes(in: zone, of: dictionary.count) { isNear[code] = true }
        }
        for entry in isNear.indices where isNear[entry] { body(dictionary.span(entry)) }
    }

    /// The codes that a block's zone leaves over. A zone is the file's word: it may name codes that the dictionary has not, and a
    /// dictionary may have none.
    static func codes(in zone: ClosedRange<Int64>?, of count: Int) -> Range<Int> {
        guard let zone else { return 0..<count }
        let first = min(max(0, zone.lowerBound), Int64(count))
        return Int(first)..<Int(max(first, zone.upperBound < Int64(count) ? zone.upperBound + 1 : Int64(count)))
    }

    package func volumes(
        matching selector: [LabelMatcher], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [LogVolume] {
        guard !range.isEmpty else { return [] }
        let rows = try LogRowScan(
            logs.snapshot(context.tenant, in: range), of: self, range: range, order: .any,
            predicate: predicates.streams(selector, labels: [], resource: table.resource.id), .init(),
            context: context)
        let volumes: [LogStream: LogVolume] = try rows.aggregate({ [:] }) { (volumes, block) throws(QueryError) in
            let lengths = try block.lineLengths()
            var total = 0
            var first = 0
            while first < block.rows.count {
                // Rows of one resource follow each other.
                let code = block.resourceCodes[Int(block.rows[first])]
                var next = first
                var bytes = 0
                while next < block.rows.count, block.resourceCodes[Int(block.rows[next])] == code {
                    bytes += lengths[next]
                    next += 1
                }
                let stream = block.resource(Int(block.rows[first])).stream
                volumes[stream, default: LogVolume(stream: stream)].entries += next - first
                volumes[stream, default: LogVolume(stream: stream)].bytes += bytes
                total += bytes
                first = next
            }
            context.statistics.bytesDecoded.add(total, ordering: .relaxed)
        } merge: { (sum, other) throws(QueryError) in
            for (stream, volume) in other {
                sum[stream, default: LogVolume(stream: stream)].entries += volume.entries
                sum[stream, default: LogVolume(stream: stream)].bytes += volume.bytes
            }
        }
        return volumes.values.sorted { $0.stream.labels < $1.stream.labels }
    }
}

extension Labels {
    /// About how many bytes they take in a set, with the texts.
    fileprivate var footprint: Int { pairs.reduce(128) { $0 + 32 + $1.name.utf8.count + $1.value.utf8.count } }
}
