internal import Columns
internal import Core
internal import Parts
internal import QueryModel
internal import Scheduling
internal import Storage
internal import Telemetry

/// Reads labels of a block's rows as columns: of each row the value that an entry of it would have, as a code. One for each thread,
/// which keeps from block to block what resources and scopes tell.
///
/// A label is the stream's, or else a field's that is set, or else an attribute's, the scope's or the resource's (rule M-4), and the
/// level depends on several of these (rule M-6). Which of them a block's rows can have tell its dictionaries and the keys of its part;
/// mostly that is one, whose codes then are the label's. Only labels that members of maps may have become, or attributes beyond the
/// limits, are put together row by row.
final class LogColumnReader {
    private let table: LogTable
    private let identities: LogIdentities
    private let rules: LogLabelRules
    private let texts: LogTexts
    private let resources: KnownDictionaries<ObjectIdentifier, LogDecodedEntries<LogResource>>
    private let constants: KnownDictionaries<ConstantKey, LogConstants>
    private var keys: [KeysKey: LogLabelKeys] = [:]

    private struct ConstantKey: Hashable {
        enum Origin { case stream, resource, scope }

        let dictionary: ObjectIdentifier
        let origin: Origin
        let name: String
    }

    private struct KeysKey: Hashable {
        let part: UInt64
        let name: String
    }

    private static let mostDictionaries = 1024

    init(_ table: LogTable, _ identities: LogIdentities, _ rules: LogLabelRules, _ context: QueryContext) {
        texts = LogTexts(context)
        resources = KnownDictionaries(context, limit: Self.mostDictionaries)
        constants = KnownDictionaries(context, limit: Self.mostDictionaries)
        self.table = table
        self.identities = identities
        self.rules = rules
    }

    /// Lets the block know its resources, as long as this thread has it.
    func begin(_ block: LogBlock) throws(QueryError) {
        if keys.count > Self.mostDictionaries { keys = [:] }
        block.resources = try resources.value(of: block, identities)
    }

    // MARK: Labels

    /// - Returns: nil if no row has the label.
    func column(_ name: String, _ block: LogBlock) throws(QueryError) -> LogTextColumn? {
        name == LogLevel.label ? try level(block) : try plain(name, block)
    }

    private func plain(_ name: String, _ block: LogBlock) throws(QueryError) -> LogTextColumn? {
        let keys = keys(name, block)
        guard !keys.isComplex else { return try assembled(name, block) }
        let stream = try constants(.stream, name, block.resourceDictionary)
        let resource = try constants(.resource, name, block.resourceDictionary)
        let streamHas = stream.hasAny(of: block.usedResources)
        let resourceHas = resource.hasAny(of: block.usedResources)
        let scope = try scopeConstants(name, block)
        let field = LogFields.Field.allCases.first { $0.label == name }
        if keys.exact.isEmpty, scope == nil, !streamHas || !resourceHas {
            if field == nil {
                return streamHas || resourceHas ? (streamHas ? stream : resource).column(block.resourceCodes) : nil
            }
            if let field, !streamHas, !resourceHas, let column = try block.texts(of: field) { return column.texts }
        }
        var builder = LogTextBuilder(rowCount: block.times.count)
        if resourceHas { resource.fill(&builder, block.rows, block.resourceCodes) }
        if let scope { scope.fill(&builder, block.rows, try block[table.scope].codes) }
        guard try fill(&builder, keys.exact, block) else { return try assembled(name, block) }
        if let field { try LogFieldTexts.fill(&builder, field, block) }
        if streamHas { stream.fill(&builder, block.rows, block.resourceCodes) }
        try block.hold(bytes: builder.byteCount)
        return builder.column
    }

    private func constants(
        _ origin: ConstantKey.Origin, _ name: String, _ dictionary: StringDictionary
    ) throws(QueryError) -> LogConstants {
        let key = ConstantKey(dictionary: ObjectIdentifier(dictionary), origin: origin, name: name)
        let identities = identities
        // The label's texts are parts of the entries.
        return try constants.value(key, bytes: dictionary.heldBytes(perEntry: 20)) {
            LogConstants(dictionary) { bytes in
                switch origin {
                case .stream: identities.resource(bytes).stream.labels[name]
                case .resource: identities.resource(bytes).metadata.first { $0.name == name }?.value ?? ""
                case .scope: identities.scope(bytes).metadata.first { $0.name == name }?.value ?? ""
                }
            }
        }
    }

    /// - Returns: nil if no scope has the label. Scopes are few; those of a part are looked at before a block's codes are read.
    private func scopeConstants(_ name: String, _ block: LogBlock) throws(QueryError) -> LogConstants? {
        let dictionary: StringDictionary
        if let whole = try block.wholeDictionary(table.scope.ordinal) {
            dictionary = whole
        } else {
            dictionary = try block[table.scope].dictionary
        }
        let scope = try constants(.scope, name, dictionary)
        return scope.hasAny ? scope : nil
    }

    private func keys(_ name: String, _ block: LogBlock) -> LogLabelKeys {
        guard block.isOfPart else { return LogLabelKeys(name, block.attributeSubcolumns) }
        let key = KeysKey(part: block.source, name: name)
        if let known = keys[key] { return known }
        let made = LogLabelKeys(name, block.attributeSubcolumns)
        keys[key] = made
        return made
    }

    /// - Returns: false if a row has several of the attributes: which of them counts depends on their order.
    private func fill(
        _ builder: inout LogTextBuilder, _ keys: [[UInt8]], _ block: LogBlock
    ) throws(QueryError) -> Bool {
        guard !keys.isEmpty else { return true }
        var isSet = [Bool](repeating: false, count: block.times.count)
        for key in keys {
            for subcolumn in try block.subcolumns(ofKey: key) {
                for row in subcolumn.rows {
                    if isSet[Int(row)] { return false }
                    isSet[Int(row)] = true
                }
                LogFieldTexts.fill(&builder, key, subcolumn)
            }
        }
        return true
    }

    /// Puts the labels of each row together.
    private func assembled(_ name: String, _ block: LogBlock) throws(QueryError) -> LogTextColumn? {
        let labels = try LogBlockLabels(block, LogLabelNames([name]), texts)
        var builder = LogTextBuilder(rowCount: block.times.count)
        var known: [String: UInt32] = [:]
        for row in block.rows {
            let stream = block.resource(Int(row)).stream.labels[name]
            let value =
                stream.isEmpty
                ? try labels.labels(block, Int(row)).first { $0.name == name }?.value ?? "" : stream
            let code = known[value] ?? builder.add(value)
            if known.count < 4096 { known[value] = code }
            builder[Int(row)] = code
        }
        try block.hold(bytes: builder.byteCount)
        return builder.column
    }

    // MARK: Level

    private func level(_ block: LogBlock) throws(QueryError) -> LogTextColumn? {
        // What is called so already is the level; who indexes it, or hides it in a map, has it looked up row by row.
        let sent = keys(LogLevel.label, block)
        guard !sent.isComplex, !rules.hasIndexLabel(LogLevel.label) else { return try assembled(LogLevel.label, block) }
        var sources: [LogTextColumn] = []
        if let column = try plain(LogLevel.label, block) { sources.append(column) }
        let sentCount = sources.count
        for name in LogLevel.labelsByRank {
            if let column = try plain(name, block) { sources.append(column) }
        }
        let numbers = try block[table.severityNumber]
        var codes = LevelCodes(rowCount: block.times.count, sources)
        let hasResourceLevel = block.usedResources.contains { block.resources?[$0].level != nil }
        for row in block.rows {
            let row = Int(row)
            if codes.take(row, from: 0..<sentCount) { continue }
            if hasResourceLevel, let level = block.resource(row).level {
                codes.set(row, level)
                continue
            }
            if codes.take(row, from: sentCount..<sources.count) || codes.take(row, severity: numbers[row]) { continue }
            let line = try block.line(row)
            codes.set(row, LogLevel.ofLine(line.utf8Span.span))
        }
        try block.hold(bytes: codes.builder.byteCount)
        return codes.builder.column
    }

    // MARK: Rows

    /// The rows of the block as who counts them wants them.
    func rows(
        _ block: LogBlock, _ needs: LogRowNeeds, entry: @escaping (Int) throws(QueryError) -> LogEntry
    ) throws(QueryError) -> LogRows {
        var labels: [LogTextColumn?] = []
        for name in needs.labels { labels.append(try column(name, block)) }
        return LogRows(
            rows: block.rows, times: block.times, labels: labels, lines: needs.lines ? try block.lines() : nil,
            rank: (block.source, block.firstRow), entry: entry)
    }

    /// Keeps the rows whose labels are accepted.
    func keep(_ conditions: [LabelMatcher], in block: LogBlock) throws(QueryError) {
        for matcher in conditions where !block.rows.isEmpty {
            guard let column = try column(matcher.name, block) else {
                if !matcher.matchesEmpty { block.rows = [] }
                continue
            }
            if column.entryCount > 4 * block.rows.count {
                block.rows = block.rows.filter { matcher.matches(column.bytes(row: Int($0))) }
                continue
            }
            // 0 not asked, 1 kept, 2 not.
            var answers = [UInt8](repeating: 0, count: column.entryCount)
            let codes = column.codes
            block.rows = block.rows.filter { row in
                let code = Int(codes[Int(row)])
                if answers[code] == 0 { answers[code] = matcher.matches(column.bytes(code: code)) ? 1 : 2 }
                return answers[code] == 1
            }
        }
    }
}

/// The levels of a block's rows on their way to becoming a column.
private struct LevelCodes {
    private(set) var builder: LogTextBuilder
    private let sources: [LogTextColumn]
    /// By source and entry: the level's code; `unknown` if nobody asked. Empty for sources with very many entries.
    private var known: [[UInt32]]
    private var codes: [String: UInt32] = [:]
    private var severities: [UInt32]

    private static let unknown = UInt32.max
    private static let mostEntries = 1 << 14

    init(rowCount: Int, _ sources: [LogTextColumn]) {
        builder = LogTextBuilder(rowCount: rowCount)
        self.sources = sources
        known = sources.map { source in
            source.entryCount > Self.mostEntries ? [] : Array(repeating: Self.unknown, count: source.entryCount)
        }
        severities = Array(repeating: Self.unknown, count: 25)
    }

    mutating func set(_ row: Int, _ level: String) { builder[row] = code(level) }

    private mutating func code(_ level: String) -> UInt32 {
        if let code = codes[level] { return code }
        let code = builder.add(level)
        // Whoever sends very many levels sends each of them seldom.
        if codes.count < Self.mostEntries { codes[level] = code }
        return code
    }

    /// Takes the level from the first of the sources that has one.
    mutating func take(_ row: Int, from range: Range<Int>) -> Bool {
        for index in range {
            let entry = Int(sources[index].codes[row])
            if sources[index].isEmpty(code: entry) { continue }
            if known[index].isEmpty {
                set(row, LogLevel.normalized(sources[index].withBytes(code: entry) { String(repairing: $0) }))
                return true
            }
            if known[index][entry] == Self.unknown {
                known[index][entry] = code(
                    LogLevel.normalized(sources[index].withBytes(code: entry) { String(repairing: $0) }))
            }
            builder[row] = known[index][entry]
            return true
        }
        return false
    }

    mutating func take(_ row: Int, severity number: Int64) -> Bool {
        guard number > 0, number < severities.count else { return false }
        if severities[Int(number)] == Self.unknown {
            guard let level = LogLevel.ofSeverity(number) else { return false }
            severities[Int(number)] = code(level)
        }
        builder[row] = severities[Int(number)]
        return true
    }
}

extension KnownDictionaries<ObjectIdentifier, LogDecodedEntries<LogResource>> {
    /// What the resources of a block's rows decode to.
    func value(
        of block: LogBlock, _ identities: LogIdentities
    ) throws(QueryError) -> LogDecodedEntries<LogResource> {
        let dictionary = block.resourceDictionary
        return try value(ObjectIdentifier(dictionary), bytes: dictionary.heldBytes(perEntry: 8)) {
            LogDecodedEntries(dictionary) { identities.resource($0) }
        }
    }
}
