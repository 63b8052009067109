internal import Columns
internal import Core
internal import QueryModel
internal import Telemetry

/// The structured metadata of a block's rows (rules M-4 and M-6).
///
/// A row's own fields come before its attributes, those before the scope's and those before the resource's, and a name that an
/// index label has is not told twice. Which names a row has follows from its fields that are set, the shape of its
/// attributes, its scope and its resource: for each such combination the names are sorted and chosen once, as a plan,
/// and a row only fills in the values. Two things are not told by a combination: the members of maps, and attributes with
/// empty values, which are absent. Rows with those are put together one by one.
final class LogBlockLabels {
    private struct Combination: Hashable {
        var fields: UInt8
        var shape: UInt32
        var scope: UInt32
        var resource: UInt32
    }

    private enum Source {
        case constant(String)
        case field(LogFields.Field)
        /// A subcolumn, and its place in the shape.
        case subcolumn(Int, place: Int)
        case level
    }

    private enum LevelSource {
        case constant(String)
        case slot(Int)
        case severityOrLine
    }

    private struct Plan {
        /// Sorted by name, unique.
        var slots: [(name: String, source: Source, isWanted: Bool)] = []
        var level = LevelSource.severityOrLine
    }

    private let names: LogLabelNames
    private let texts: LogTexts
    private let fields: LogFields
    /// By segment of rows: the fields that are set, once one of the rows was asked about.
    private var present: [[UInt8]?]
    private static let segment = 1024
    private let scopeCodes: Buffer<UInt32>
    /// Nil if no attribute can be wanted.
    private let attributes: AttributesColumn?
    /// By combination; nil if its rows are put together one by one.
    private var plans: [Combination: Plan?] = [:]
    private var last: (combination: Combination, plan: Plan?)?
    private var lastLevel = (text: "", level: "")

    init(_ block: LogBlock, _ names: LogLabelNames, _ texts: LogTexts) throws(QueryError) {
        self.names = names
        self.texts = texts
        fields = try LogFields(block, names)
        present = Array(repeating: nil, count: block.times.count / Self.segment + 1)
        scopeCodes = try block[block.table.scope].codes
        attributes = block.attributeKeys.contains(where: names.mayNeed) ? try block[block.table.attributes] : nil
    }

    func labels(_ block: LogBlock, _ row: Int) throws(QueryError) -> [Label] {
        let combination = Combination(
            fields: presentFields(row), shape: attributes?.shapes[row] ?? 0, scope: scopeCodes[row],
            resource: block.resourceCodes[row])
        let plan: Plan?
        if let last, last.combination == combination {
            plan = last.plan
        } else if let known = plans[combination] {
            plan = known
            last = (combination, known)
        } else {
            plan = try makePlan(block, row, combination)
            plans[combination] = .some(plan)
            last = (combination, plan)
        }
        if let plan, let labels = try fill(plan, block, row) { return labels }
        return try assemble(block, row, combination)
    }

    private func presentFields(_ row: Int) -> UInt8 {
        let (segment, place) = row.quotientAndRemainder(dividingBy: Self.segment)
        if let bits = present[segment] { return bits[place] }
        let start = segment * Self.segment
        let bits = fields.present(start..<min(start + Self.segment, scopeCodes.count))
        present[segment] = bits
        return bits[place]
    }

    // MARK: Plans

    private func makePlan(
        _ block: LogBlock, _ row: Int, _ combination: Combination
    ) throws(QueryError) -> Plan? {
        var candidates: [(name: String, source: Source)] = []
        for field in LogFields.Field.allCases where combination.fields & 1 << UInt8(field.rawValue) != 0 {
            candidates.append((field.label, .field(field)))
        }
        if let attributes {
            for (place, number) in attributes.subcolumnsOfShape[Int(combination.shape)].enumerated() {
                let subcolumn = attributes.subcolumns[Int(number)]
                switch subcolumn.type {
                case .overflow: return nil
                case .map: if names.mayNeed(attribute: subcolumn.key) { return nil }
                case .empty: continue
                default:
                    let name = LogLabelName.sanitized(String(decoding: subcolumn.key, as: UTF8.self))
                    if !name.isEmpty { candidates.append((name, .subcolumn(Int(number), place: place))) }
                }
            }
        }
        let resource = block.resource(row)
        for label in try block.scope(row).metadata { candidates.append((label.name, .constant(label.value))) }
        for label in resource.metadata { candidates.append((label.name, .constant(label.value))) }
        return choose(candidates, resource)
    }

    private func choose(_ candidates: [(name: String, source: Source)], _ resource: LogResource) -> Plan {
        var chosen: [String: Source] = [:]
        for (name, source) in candidates
        where chosen[name] == nil && names.needs(name) && resource.stream.labels[name].isEmpty {
            chosen[name] = source
        }
        var plan = Plan()
        let addsLevel =
            names.wantsLevel && chosen[LogLevel.label] == nil && resource.stream.labels[LogLevel.label].isEmpty
        if addsLevel { chosen[LogLevel.label] = .level }
        plan.slots = chosen.map { ($0.key, $0.value, names.wants($0.key)) }.sorted { $0.name < $1.name }
        if let level = resource.level {
            plan.level = .constant(level)
        } else if let slot = LogLevel.bestLabel(plan.slots.map(\.name)) {
            plan.level = .slot(slot)
        }
        return plan
    }

    /// - Returns: nil if a value is empty.
    private func fill(_ plan: Plan, _ block: LogBlock, _ row: Int) throws(QueryError) -> [Label]? {
        var labels: [Label] = []
        labels.reserveCapacity(plan.slots.count)
        for slot in plan.slots {
            if case .level = slot.source {
                guard let level = try level(plan, block, row) else { return nil }
                labels.append(Label(slot.name, level))
                continue
            }
            guard slot.isWanted else { continue }
            var text = try text(slot.source, row)
            if text.isEmpty { return nil }
            if slot.name == LogLevel.label { text = normalized(text) }
            labels.append(Label(slot.name, text))
        }
        return labels
    }

    private func level(_ plan: Plan, _ block: LogBlock, _ row: Int) throws(QueryError) -> String? {
        switch plan.level {
        case .constant(let level): return level
        case .slot(let slot):
            let text = try text(plan.slots[slot].source, row)
            return text.isEmpty ? nil : normalized(text)
        case .severityOrLine: return try block.level(row)
        }
    }

    private func normalized(_ text: String) -> String {
        if text != lastLevel.text { lastLevel = (text, LogLevel.normalized(text)) }
        return lastLevel.level
    }

    private func text(_ source: Source, _ row: Int) throws(QueryError) -> String {
        switch source {
        case .constant(let text): return text
        case .field(let field): return try fields.text(field, row, texts)
        case .level: return ""
        case .subcolumn(let number, let place):
            guard let attributes else { return "" }
            let slot = Int(attributes.slots[Int(attributes.starts[row]) + place])
            let subcolumn = attributes.subcolumns[number]
            switch (subcolumn.type, subcolumn.values) {
            case (.string, .strings(let column)?): return try texts.text(column, slot)
            case (.int, .integers(let values)?): return String(values[slot])
            default: return subcolumn.value(slot).text
            }
        }
    }

    // MARK: Single rows

    /// Puts a row's labels together without a plan.
    private func assemble(
        _ block: LogBlock, _ row: Int, _ combination: Combination
    ) throws(QueryError) -> [Label] {
        var labels: [Label] = []
        for field in LogFields.Field.allCases where combination.fields & 1 << UInt8(field.rawValue) != 0 {
            labels.append(Label(field.label, try fields.text(field, row, texts)))
        }
        if let attributes { LogLabelName.flatten(attributes.attributes(row), into: &labels) }
        labels += try block.scope(row).metadata
        let resource = block.resource(row)
        labels += resource.metadata
        let index = resource.stream.labels
        var unique = LogLabelName.unique(labels).filter { index[$0.name].isEmpty && names.needs($0.name) }
        let place = unique.firstIndex { $0.name >= LogLevel.label } ?? unique.endIndex
        if place < unique.endIndex, unique[place].name == LogLevel.label {
            unique[place].value = normalized(unique[place].value)
        } else if names.wantsLevel, index[LogLevel.label].isEmpty {
            let labelled = resource.level ?? LogLevel.ofLabels(unique)
            let level = if let labelled { labelled } else { try block.level(row) }
            unique.insert(Label(LogLevel.label, level), at: place)
        }
        names.keep(in: &unique)
        return unique
    }
}

extension LogBlock {
    /// The level that the severity tells, or else the line (rule M-6).
    fileprivate func level(_ row: Int) throws(QueryError) -> String {
        if let level = LogLevel.ofSeverity(try self[table.severityNumber][row]) { return level }
        let line = try line(row)
        return LogLevel.ofLine(line.utf8Span.span)
    }
}
