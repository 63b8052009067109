internal import Core
package import Scheduling

/// The bytes of what an evaluation has come to so far: what goes back from where the samples are, and merges with others of the same
/// plan in any order. docs/FORMAT.md, "Plans and states".
extension SeriesEvaluation {
    private static let version: UInt64 = 1
    package static let byteLimit = 1 << 30

    package var bytes: [UInt8] {
        var writer = ByteWriter()
        writer.natural(Self.version)
        writer.text(plan.bytes)
        results.write(to: &writer)
        return writer.bytes
    }

    /// - Parameter context: of the query that they are for, which holds them.
    /// - Throws: also if the query may not hold so much.
    package init(bytes: [UInt8], context: QueryContext) throws(SeriesCodingError) {
        var reader = try ByteReader<SeriesCodingError>(bytes, atMost: Self.byteLimit)
        try reader.version(Self.version)
        let plan = try SeriesPlan(bytes: reader.text())
        // Each step says how many samples it has.
        guard plan.grid.count <= reader.left else { throw .corrupt }
        do throws(QueryError) { try self.init(plan, context: context) } catch { throw .query(error) }
        try results.read(&reader)
        try reader.end()
    }
}

extension PlanResults {
    fileprivate func write(to writer: inout ByteWriter) {
        writer.count(samplesRead)
        for count in samplesByStep { writer.count(count) }
        writer.list(counterNames.sorted()) { $0.text($1.utf8) }
        guard groups == nil else {
            groups?.write(to: &writer)
            return
        }
        writer.list(series) { writer, one in
            writer.series(one.name)
            for value in one.values { writer.word(value.bitPattern) }
        }
    }

    /// Reads results into none.
    fileprivate mutating func read(_ reader: inout ByteReader<SeriesCodingError>) throws(SeriesCodingError) {
        samplesRead = try reader.tally()
        let steps = samplesByStep.count
        samplesByStep = try reader.elements(steps) { (reader) throws(SeriesCodingError) in try reader.tally() }
        counterNames = Set(
            try reader.ascending(of: "names", <) { (reader) throws(SeriesCodingError) in try reader.string() })
        guard groups == nil else {
            try groups?.read(&reader)
            return
        }
        let count = try reader.count(of: "series", size: 2 + 8 * steps)
        for _ in 0..<count {
            let name = try reader.series()
            do throws(QueryError) { try context.charge(bytes: GridSeries.cost(steps: steps)) } catch {
                throw .query(error)
            }
            series.append(
                (
                    name,
                    try reader.elements(steps, size: 8) { (reader) throws(SeriesCodingError) in try reader.double() }
                ))
        }
    }
}

extension PlanGroups {
    fileprivate func write(to writer: inout ByteWriter) {
        sum?.write(to: &writer)
        avg?.write(to: &writer)
        min?.write(to: &writer)
        max?.write(to: &writer)
        count?.write(to: &writer)
        group?.write(to: &writer)
    }

    fileprivate mutating func read(_ reader: inout ByteReader<SeriesCodingError>) throws(SeriesCodingError) {
        try sum?.read(&reader)
        try avg?.read(&reader)
        try min?.read(&reader)
        try max?.read(&reader)
        try count?.read(&reader)
        try group?.read(&reader)
    }
}
