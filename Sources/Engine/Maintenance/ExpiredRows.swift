internal import Columns
internal import Core
internal import Parts
internal import TableSchema

/// Which rows of one part have expired: by their service, and their time.
struct ExpiredRows {
    private let part: Part
    private let input: Int
    private let serviceKey: LeafKey?
    private let timeKey: LeafKey
    private let timeOrdinal: Int
    private let serviceOrdinal: Int?
    private let limits: ExpiryLimits
    /// By code of the part's dictionary of services: the time before which rows have expired. Empty without a dictionary.
    private let limitOfCode: [Int64]
    /// The latest and the earliest of the limits that any row may meet.
    private let latest: Int64
    private let earliest: Int64

    /// - Parameter input: the number of the part in the merge.
    init(_ part: Part, input: Int, table: TableDefinition, limits: ExpiryLimits) throws(MergeFailure) {
        self.part = part
        self.input = input
        self.limits = limits
        let time = RetentionPolicy.timeColumn(table)
        guard let timeOrdinal = table.ordinal(of: time) else { preconditionFailure("a table has its column of time") }
        self.timeOrdinal = timeOrdinal
        timeKey = LeafKey(column: time.number, role: .values)
        let service = table.column(RetentionPolicy.serviceColumn)
        serviceOrdinal = service.flatMap { table.ordinal(of: $0.id) }
        let key = service.map { LeafKey(column: $0.id.number, role: .values) }
        serviceKey = key.flatMap { part.kind(of: $0) == nil ? nil : $0 }
        var limitOfCode: [Int64] = []
        if let key = serviceKey, let facts = part.dictionaryFacts(of: key) {
            do throws(PartError) {
                let names = try part.dictionary(facts, of: key)
                for code in 0..<names.count {
                    limitOfCode.append(limits.services[Array(copying: names.span(code))] ?? limits.others)
                }
            } catch {
                throw .input(input, error)
            }
        }
        self.limitOfCode = limitOfCode
        let possible = limitOfCode.isEmpty ? [limits.others] + limits.services.values : limitOfCode
        latest = possible.max() ?? limits.others
        earliest = possible.min() ?? limits.others
    }

    /// Whether no row of the part can have expired, as far as is known without reading it.
    var isEmpty: Bool { part.leastTime >= latest && timeKey.column == part.table.partitionColumn.number }

    /// Whether all rows of a block have expired, as far as is known without reading it.
    func coversBlock(_ block: Int) -> Bool {
        guard let times = part.zone(timeOrdinal, block: block) else { return false }
        if times.upperBound < earliest { return true }
        guard !limitOfCode.isEmpty, let ordinal = serviceOrdinal, let codes = part.zone(ordinal, block: block),
            codes.lowerBound >= 0, codes.upperBound < limitOfCode.count
        else { return false }
        return limitOfCode[Int(codes.lowerBound)...Int(codes.upperBound)].allSatisfy { times.upperBound < $0 }
    }

    /// By row of a block, whether it has expired; empty if none has.
    func rows(of source: MergeSource) throws(MergeFailure) -> [Bool] {
        if let times = part.zone(timeOrdinal, block: source.block), times.lowerBound >= latest { return [] }
        let count = source.rowCount
        let kinds: [LeafKind] = [.integers, .listedIntegers]
        guard case .integers(let times)? = try source.lastingValues(of: timeKey, kinds: kinds, count: count)
        else {
            return []
        }
        var expired = [Bool](repeating: false, count: count)
        var any = false
        let services = try serviceKey.map { (key) throws(MergeFailure) in
            try source.lastingValues(of: key, kinds: [.codes, .strings], count: count)
        }
        for row in 0..<count {
            let limit: Int64
            switch services {
            case .naturals(let codes)??: limit = limitOfCode[Int(codes[row])]
            case .strings(let names)??: limit = limits.services[Array(copying: names.span(row))] ?? limits.others
            default: limit = limits.services[[]] ?? limits.others
            }
            expired[row] = times[row] < limit
            any = any || expired[row]
        }
        return any ? expired : []
    }

    /// How many rows have expired.
    func count() throws(MergeFailure) -> Int {
        var count = 0
        for block in 0..<part.blockCount where part.rowCount(ofBlock: block) > 0 {
            if coversBlock(block) {
                count += part.rowCount(ofBlock: block)
            } else {
                count += try rows(of: MergeSource(input: input, part: part, block: block)).count { $0 }
            }
        }
        return count
    }
}
