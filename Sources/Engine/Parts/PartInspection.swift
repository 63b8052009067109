internal import Columns
internal import Indexing
internal import TableSchema

/// How many bytes one thing takes in a part's file.
package struct StoredSize: Sendable {
    /// `column`, `nested.field`, `attributes[key]`, with ` lengths`, ` shapes` or ` dictionary` where it is not the values;
    /// `footer`, `bloom column`, `tokenbf column`, `token_postings column` and `templates column` for the rest.
    package var path: String
    package var bytes: Int
    package var pages: Int
    /// By number of the encoding: how many pages have it.
    package var encodings: [UInt8: Int]
    /// By number of the compression: how many pages have it.
    package var compressions: [UInt8: Int] = [:]
    /// Of all pages.
    package var values = 0
    /// Before compression.
    package var rawBytes = 0
    /// The least and greatest value over all blocks, of integers whose zones are kept.
    package var zone: ClosedRange<Int64>?
    package var kind = Kind.column

    package enum Kind: Sendable { case column, dictionary, index, footer }
}

extension Part {
    /// Where the bytes of the file are, largest first.
    package func storedSizes(fileLength: Int64) -> [StoredSize] {
        var sizes: [String: StoredSize] = [:]
        func add(_ path: String, _ pages: [PageEntry]) {
            var size = sizes[path] ?? StoredSize(path: path, bytes: 0, pages: 0, encodings: [:])
            for page in pages {
                size.bytes += page.storedLength
                size.pages += 1
                size.encodings[page.encoding, default: 0] += 1
                size.compressions[page.compression, default: 0] += 1
                size.values += page.count
                size.rawBytes += page.rawLength
            }
            sizes[path] = size
        }
        for leaf in footer.leaves {
            let path = path(leaf.key)
            add(path, leaf.pages)
            if leaf.kind == .integers { sizes[path]?.zone = Self.union(leaf.zones) }
            if let number = leaf.dictionary {
                add(path + " dictionary", footer.dictionaries[number].pages)
                sizes[path + " dictionary"]?.kind = .dictionary
            }
        }
        for bloom in footer.blooms {
            add("bloom \(name(bloom.column))", [bloom.page])
            sizes["bloom \(name(bloom.column))"]?.kind = .index
        }
        for index in footer.tokenIndexes {
            // Its pages stand before the directory.
            let kind =
                switch index.kind {
                case .blooms: "tokenbf"
                case .postings: "token_postings"
                case .templates: "templates"
                }
            let path = "\(kind) \(name(index.column))"
            add(path, [index.directory])
            sizes[path]?.kind = .index
            sizes[path]?.bytes += Int(max(index.directory.offset - index.offset, 0))
        }
        let rest = Int(fileLength) - sizes.values.reduce(0) { $0 + $1.bytes }
        sizes["footer"] = StoredSize(path: "footer", bytes: rest, pages: 1, encodings: [:], kind: .footer)
        return sizes.values.sorted { ($1.bytes, $0.path) < ($0.bytes, $1.path) }
    }

    private static func union(_ zones: [Zone]) -> ClosedRange<Int64>? {
        let filled = zones.filter { $0.least <= $0.greatest }
        guard let least = filled.map(\.least).min(), let greatest = filled.map(\.greatest).max() else { return nil }
        return least...greatest
    }

    package var groupCount: Int { footer.groupBlocks.count }

    func path(_ key: LeafKey) -> String {
        switch key.role {
        case .values: return name(key.column)
        case .lengths: return name(key.column) + " lengths"
        case .shapes: return name(key.column) + " shapes"
        case .subcolumn:
            let subcolumns = footer.shapes.first { $0.column == key.column }?.subcolumns ?? []
            guard Int(key.subcolumn) < subcolumns.count else { return name(key.column) + "[?]" }
            let subcolumn = subcolumns[Int(key.subcolumn)]
            let text = String(decoding: subcolumn.key, as: UTF8.self)
            return "\(name(key.column))[\(subcolumn.type == .overflow ? "overflow" : text)]"
        }
    }

    func name(_ column: UInt16) -> String {
        for definition in table.columns {
            if definition.id.number == column { return definition.name }
            guard case .nested(let fields) = definition.type else { continue }
            for field in fields where field.id.number == column { return "\(definition.name).\(field.name)" }
        }
        return "column \(column)"
    }
}
