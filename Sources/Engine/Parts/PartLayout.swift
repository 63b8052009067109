package import Columns
internal import Indexing
package import TableSchema

/// The shape of a part's file; docs/FORMAT.md describes every byte.
///
/// ```
/// magic, version | pages of row group 0: leaf by leaf, block by block | … | dictionaries | skip indexes | footer | trailer
/// ```
///
/// A *leaf* is one run of pages with the same meaning: the values of a column, the lengths of its lists, the shapes of its
/// attributes, or the values of one subcolumn. The footer lists every page with its place, length, encoding and checksum.
package enum PartLayout {
    static let magic: [UInt8] = Array("VARVEP01".utf8)
    /// What writers write; the readers know it and all before it.
    static let version: UInt32 = 3
    /// In whose footers there are no origins.
    static let firstVersion: UInt32 = 1
    static let headerLength = 16
    static let trailerLength = 32
    /// The most rows of a block.
    package static let blockRows = 8192
    /// Blocks of a row group.
    static let groupBlocks = 64
    /// The longest footer that is read, before and after decompression.
    static let footerLimit = 256 << 20
    /// The most bytes of an index of templates.
    static let templateIndexLimit = 64 << 20
    /// The most rows of a part.
    package static let rowLimit = 1 << 31
    /// The most values that one page may hold, which bounds what a hostile footer can make a reader allocate.
    static let pageValueLimit = 1 << 24
    /// The most bytes that a page is decoded to.
    static let pageByteLimit = 256 << 20
    /// A block ends before one of its columns holds more bytes of strings than this, unless a single row does.
    static let blockBytes = 32 << 20
    /// A block ends before one of its columns holds more inner values than this, unless a single row does.
    static let blockValues = 1 << 22
}

/// What a leaf holds.
package enum LeafRole: UInt8, Sendable {
    case values = 0
    /// The number of inner rows of each row of a nested column.
    case lengths = 1
    case shapes = 2
    case subcolumn = 3
}

/// How a leaf's pages are encoded.
package enum LeafKind: UInt8, Sendable, CaseIterable {
    case integers = 0
    case floats = 1
    case fixed8 = 2
    case fixed16 = 3
    /// Codes into a dictionary of the part.
    case codes = 4
    case strings = 5
    case integerRows = 6
    case floatRows = 7
    /// Lengths and shapes.
    case naturals = 8
    /// Ids of 8 bytes that may refer to those of another leaf, by rows.
    case related8 = 9
    /// Integers that may be entries of a list of the part.
    case listedIntegers = 10
    /// Ids of 16 bytes that may be entries of a list of the part.
    case listed16 = 11

    var isListed: Bool { self == .listedIntegers || self == .listed16 }
}

/// A leaf's name inside its part.
package struct LeafKey: Hashable, Sendable {
    /// Of the column, or of the field of a nested column.
    package var column: UInt16
    package var role: LeafRole
    /// The subcolumn's number; 0 for other roles.
    package var subcolumn: UInt16

    package init(column: UInt16, role: LeafRole, subcolumn: UInt16 = 0) {
        self.column = column
        self.role = role
        self.subcolumn = subcolumn
    }
}

/// One page: where it is and how to read it.
struct PageEntry {
    var encoding: UInt8
    var compression: UInt8
    var count: Int
    var rawLength: Int
    var storedLength: Int
    /// The lower half of the XXH3-64 of the stored bytes.
    var checksum: UInt32
    var offset: Int64 = 0
}

/// The least and greatest value of one block of a leaf: of integers, or of the codes of a sorted dictionary; of ids in a list
/// the least and greatest entry.
struct Zone: Equatable {
    var least: Int64
    var greatest: Int64
}

struct LeafEntry {
    var key: LeafKey
    var kind: LeafKind
    /// The number of the part's dictionary that the codes refer to, or of the list.
    var dictionary: Int?
    /// The number of the leaf of ids that these refer to.
    var sibling: Int?
    /// One per block, over all row groups.
    var pages: [PageEntry]
    /// As many as pages, or none.
    var zones: [Zone]

    init(
        key: LeafKey, kind: LeafKind, dictionary: Int? = nil, sibling: Int? = nil, pages: [PageEntry] = [],
        zones: [Zone] = []
    ) {
        self.key = key
        self.kind = kind
        self.dictionary = dictionary
        self.sibling = sibling
        self.pages = pages
        self.zones = zones
    }
}

struct DictionaryEntry {
    var count: Int
    var isSorted: Bool
    var pages: [PageEntry]
}

package struct SubcolumnEntry: Hashable, Sendable {
    package var key: [UInt8]
    package var type: AttributeType

    package init(key: [UInt8], type: AttributeType) {
        self.key = key
        self.type = type
    }
}

/// The subcolumns and shapes of one attributes column.
package struct ShapesEntry: Sendable {
    package var column: UInt16
    package var subcolumns: [SubcolumnEntry]
    package var shapes: [[UInt32]]

    package init(column: UInt16, subcolumns: [SubcolumnEntry], shapes: [[UInt32]]) {
        self.column = column
        self.subcolumns = subcolumns
        self.shapes = shapes
    }
}

struct BloomEntry {
    var column: UInt16
    /// Nil: of the whole part.
    var group: Int?
    var page: PageEntry
}

/// An index of the tokens of some blocks in a row (`TokenIndex`).
struct TokenIndexEntry {
    var column: UInt16
    var kind: TokenIndex.Kind
    var firstBlock: Int
    var blockCount: Int
    /// Where its pages begin; the directory says how many bytes they have.
    var offset: Int64
    var directory: PageEntry

    var blocks: Range<Int> { firstBlock..<(firstBlock + blockCount) }
}

/// Everything that a part says of itself.
struct PartFooter {
    var table: TableID
    var fingerprint: UInt64
    /// The start of the partition, nanoseconds since the epoch.
    var partition: Int64
    /// Of the partition column.
    var leastTime: Int64
    var greatestTime: Int64
    /// Rows of each block.
    var blockRows: [Int]
    /// Blocks of each row group.
    var groupBlocks: [Int]
    var leaves: [LeafEntry] = []
    var dictionaries: [DictionaryEntry] = []
    var shapes: [ShapesEntry] = []
    var blooms: [BloomEntry] = []
    var tokenIndexes: [TokenIndexEntry] = []
    var origin: PartOrigin?

    var rowCount: Int { blockRows.reduce(0, +) }
}

/// Why a part cannot be read.
package enum PartError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No part, or one that was not written to its end.
    case notAPart
    case unsupportedVersion(UInt32)
    /// The file ends before something that its footer names.
    case truncated
    /// The footer contradicts itself; the payload says where.
    case corruptFooter(String)
    /// A part of another table.
    case wrongTable(expected: TableID, found: TableID)
    /// A page whose bytes are not what was written.
    case checksumMismatch(column: UInt16, block: Int)
    /// A page with the right checksum that cannot be decoded.
    case corruptPage(column: UInt16, block: Int)
    /// An index of tokens that is damaged; the block is the first of those that it is about.
    case corruptIndex(column: UInt16, block: Int)
    case file(operation: String, errno: Int32)

    /// Whether the file is not what was written; what the disk refuses may be there again later.
    package var isDamage: Bool {
        switch self {
        case .notAPart, .truncated, .corruptFooter, .wrongTable, .checksumMismatch, .corruptPage, .corruptIndex: true
        case .unsupportedVersion, .file: false
        }
    }

    package var description: String {
        switch self {
        case .notAPart: "it is no part, or was not written to its end"
        case .unsupportedVersion(let version):
            "it has version \(version) of the format, of a newer Varve: only that one can read it"
        case .truncated: "it ends before something that its footer names"
        case .corruptFooter(let reason): "its footer is damaged: \(reason)"
        case .wrongTable(let expected, let found):
            "it is of table \(found.number), not of table \(expected.number)"
        case .checksumMismatch(let column, let block): "the checksum of column \(column) in block \(block) is wrong"
        case .corruptPage(let column, let block): "column \(column) in block \(block) cannot be decoded"
        case .corruptIndex(let column, let block): "the index of column \(column) from block \(block) on is damaged"
        case .file(let operation, let errno): "the disk refused to \(operation): error \(errno)"
        }
    }
}
