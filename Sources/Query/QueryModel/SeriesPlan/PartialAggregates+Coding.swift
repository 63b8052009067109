internal import Core

/// A partial aggregate that goes from one process to another.
protocol CodedAggregate: PartialAggregate {
    /// The least bytes of one.
    static var leastBytes: Int { get }
    func write(to writer: inout ByteWriter)
    init(from reader: inout ByteReader<SeriesCodingError>) throws(SeriesCodingError)
}

extension PartialSum: CodedAggregate {
    static var leastBytes: Int { 16 }

    func write(to writer: inout ByteWriter) {
        writer.word(sum.bitPattern)
        writer.word(compensation.bitPattern)
    }

    init(from reader: inout ByteReader<SeriesCodingError>) throws(SeriesCodingError) {
        self.init()
        sum = try reader.double()
        compensation = try reader.double()
    }
}

extension PartialMean: CodedAggregate {
    static var leastBytes: Int { 25 }

    func write(to writer: inout ByteWriter) {
        writer.word(mean.count.bitPattern)
        writer.word(mean.total.sum.bitPattern)
        writer.word(mean.total.compensation.bitPattern)
        writer.byte(mean.isIncremental ? 1 : 0)
    }

    init(from reader: inout ByteReader<SeriesCodingError>) throws(SeriesCodingError) {
        self.init()
        let count = try reader.double()
        guard count >= 0, count < 0x1p48, count == count.rounded() else { throw .corrupt }
        let total = CompensatedSum(try reader.double(), compensation: try reader.double())
        mean = CompensatedMean(count: count, total: total, isIncremental: try reader.flag())
    }
}

extension PartialMinimum: CodedAggregate {
    static var leastBytes: Int { 8 }

    func write(to writer: inout ByteWriter) { writer.word(value.bitPattern) }

    init(from reader: inout ByteReader<SeriesCodingError>) throws(SeriesCodingError) {
        self.init()
        value = try reader.double()
    }
}

extension PartialMaximum: CodedAggregate {
    static var leastBytes: Int { 8 }

    func write(to writer: inout ByteWriter) { writer.word(value.bitPattern) }

    init(from reader: inout ByteReader<SeriesCodingError>) throws(SeriesCodingError) {
        self.init()
        value = try reader.double()
    }
}

extension PartialCount: CodedAggregate {
    static var leastBytes: Int { 1 }

    func write(to writer: inout ByteWriter) { writer.count(count) }

    init(from reader: inout ByteReader<SeriesCodingError>) throws(SeriesCodingError) {
        self.init()
        count = try reader.tally()
    }
}

extension PartialPresence: CodedAggregate {
    static var leastBytes: Int { 1 }

    func write(to writer: inout ByteWriter) { writer.byte(isPresent ? 1 : 0) }

    init(from reader: inout ByteReader<SeriesCodingError>) throws(SeriesCodingError) {
        self.init()
        isPresent = try reader.flag()
    }
}

extension PartialGroups where State: CodedAggregate {
    func write(to writer: inout ByteWriter) {
        // Groups that nothing was added to say nothing.
        let used = labels.indices.filter { least[$0] != nil }
        writer.list(used) { writer, slot in
            writer.labels(labels[slot])
            if let series = least[slot] { writer.series(series) }
            for state in states[slot * stepCount..<(slot + 1) * stepCount] { state.write(to: &writer) }
        }
    }

    /// Reads groups into none.
    mutating func read(_ reader: inout ByteReader<SeriesCodingError>) throws(SeriesCodingError) {
        // A group has its labels, the first series' labels, whether it has one more, and its states.
        let count = try reader.count(of: "groups", size: 3 + stepCount * State.leastBytes)
        for expected in 0..<count {
            let group = try reader.labels()
            let slot: Int
            do throws(QueryError) { slot = try self.slot(of: group) } catch { throw .query(error) }
            guard slot == expected else { throw .corrupt }
            least[slot] = try reader.series()
            for step in 0..<stepCount { states[slot * stepCount + step] = try State(from: &reader) }
        }
    }
}

extension ByteWriter {
    mutating func series(_ name: SeriesName) {
        labels(name.base)
        byte(name.extra == nil ? 0 : 1)
        if let extra = name.extra {
            text(extra.name.utf8)
            text(extra.value.utf8)
        }
    }
}

extension ByteReader<SeriesCodingError> {
    mutating func series() throws(SeriesCodingError) -> SeriesName {
        let base = try labels()
        guard try flag() else { return SeriesName(base) }
        let extra = Label(try string(), try string())
        guard base[extra.name].isEmpty, !extra.value.isEmpty else { throw .corrupt }
        return SeriesName(base, extra)
    }
}
