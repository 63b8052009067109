internal import Columns
internal import Core
internal import Encoding
internal import Observability
internal import TableSchema

/// Fills the indexes of tokens of a part that is written from memory, column by column.
struct ColumnIndexer {
    private(set) var writers: [TokenIndexWriter]
    private var templates: [TemplateIndexWriter]
    private let work: WorkTimes

    /// - Parameter work: where the time that it takes is counted, as part of encoding.
    init(_ table: TableDefinition, _ work: WorkTimes) {
        writers = TokenIndexWriter.make(table)
        templates = TemplateIndexWriter.make(table)
        self.work = work
    }

    /// A column of texts or ids.
    mutating func add(_ column: Column, _ id: ColumnID, _ selection: RowSelection) {
        guard writers.contains(where: { $0.column == id }) else { return }
        work.measure(.index, within: .encode) { index(column, id, selection) }
    }

    private mutating func index(_ column: Column, _ id: ColumnID, _ selection: RowSelection) {
        for number in writers.indices where writers[number].column == id {
            for block in selection.blockEnds.indices {
                let rows = selection.rows[selection.rows(ofBlock: block)]
                switch column {
                case .strings(let strings):
                    let dictionary = strings.dictionary
                    let codes = strings.codes.base
                    writers[number].add(codes: rows.lazy.map { codes[Int($0)] }, count: dictionary.count) {
                        dictionary.bytes($0)
                    }
                case .fixed(let values):
                    for row in rows {
                        let id = UnsafeRawBufferPointer(
                            start: values.bytes.base + Int(row) * values.width, count: values.width)
                        writers[number].add(ids: id, width: values.width)
                    }
                default: preconditionFailure("no index of tokens takes such a column")
                }
                writers[number].endBlock()
            }
        }
    }

    /// The subcolumns of a column of attributes.
    ///
    /// - Parameters:
    ///   - subcolumns: the numbers of the subcolumns in the column.
    ///   - selections: by subcolumn, the values that go to the part.
    mutating func add(
        _ column: AttributesColumn, _ number: UInt16, subcolumns: [Int], _ selections: [RowSelection], blocks: Int
    ) {
        guard writers.contains(where: { $0.column.number == number }) else { return }
        work.measure(.index, within: .encode) { index(column, number, subcolumns, selections, blocks) }
    }

    private mutating func index(
        _ column: AttributesColumn, _ number: UInt16, _ subcolumns: [Int], _ selections: [RowSelection], _ blocks: Int
    ) {
        for writer in writers.indices where writers[writer].column.number == number {
            var values = subcolumns.map { SubcolumnValues(column.subcolumns[$0]) }
            for block in 0..<blocks {
                for subcolumn in subcolumns.indices {
                    let slots = selections[subcolumn].rows[selections[subcolumn].rows(ofBlock: block)]
                    values[subcolumn].add(slots, block: UInt32(block + 1), to: &writers[writer])
                }
                writers[writer].endBlock()
            }
        }
    }

    /// Whether the texts of a column are cut into templates.
    func areTexts(_ column: UInt16) -> Bool { templates.contains { $0.column == column } }

    /// A page of texts, with which a block ends.
    mutating func add(_ page: EncodedPage, _ bytes: ArraySlice<UInt8>, of column: UInt16) {
        for number in templates.indices where templates[number].column == column {
            templates[number].add(
                bytes, encoding: page.encoding.rawValue, compression: page.compression.rawValue, count: page.count)
            templates[number].endBlock()
        }
    }

    /// Finishes the indexes and writes them.
    mutating func finish(_ output: inout PartOutput, _ footer: inout PartFooter) {
        for number in writers.indices {
            writers[number].endSegment()
            writers[number].writeSegments(&output, &footer)
        }
        for number in templates.indices {
            templates[number].endSegment()
            templates[number].writeSegments(&output, &footer)
        }
    }

    /// The values of a subcolumn, and which entries of their dictionary were added for which block.
    private struct SubcolumnValues {
        private let subcolumn: SubcolumnTokens
        private let values: Column?
        private var tokens: [UInt64] = []
        private var marks: [UInt32] = []

        init(_ subcolumn: AttributeSubcolumn) {
            self.subcolumn = SubcolumnTokens(SubcolumnEntry(key: subcolumn.key, type: subcolumn.type))
            values = subcolumn.values
            guard subcolumn.type == .string, case .strings(let strings)? = subcolumn.values else { return }
            tokens = Array(repeating: 0, count: strings.dictionary.count)
            marks = Array(repeating: 0, count: strings.dictionary.count)
        }

        mutating func add(_ slots: ArraySlice<UInt32>, block: UInt32, to writer: inout TokenIndexWriter) {
            guard !slots.isEmpty else { return }
            subcolumn.forEachToken { writer.add(token: $0) }
            switch (subcolumn.type, values) {
            case (.string, .strings(let strings)?):
                for slot in slots {
                    let code = Int(strings.codes.base[Int(slot)])
                    if marks[code] == block { continue }
                    if marks[code] == 0 { tokens[code] = subcolumn.token(strings.dictionary.bytes(code)) }
                    marks[code] = block
                    writer.add(token: tokens[code])
                }
            case (.int, .integers(let integers)?), (.bool, .integers(let integers)?):
                for slot in slots { writer.add(token: subcolumn.token(integers.base[Int(slot)])) }
            default: break
            }
        }
    }
}
