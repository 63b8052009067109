package import Files
package import Parts
package import Storage

/// Why a merge did not take place. Nothing has changed then.
package enum MergeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// An input that cannot be read.
    case unreadable(PartID, PartError)
    /// An input whose rows are not in the order of their table.
    case notInOrder(PartID)
    /// The inputs would make a part with too many pages, or with too large ones.
    case tooLarge([PartID])
    /// Inputs of a view, one of which has a state that cannot be read.
    case unmergeable([PartID])
    /// The output has not as many rows as the inputs: it was not used.
    case rowsDiffer(expected: Int, written: Int)
    /// The disk has not room for the output.
    case noSpace(needed: Int64, free: Int64)
    /// The caller asked to stop.
    case cancelled
    case file(FileError)
    case storage(StorageError)

    package var description: String {
        switch self {
        case .unreadable(let id, let error): "part \(id.number) cannot be read: \(error)"
        case .notInOrder(let id): "the rows of part \(id.number) are not in the order of their table"
        case .tooLarge(let ids):
            "the rows of parts \(ids.map { String($0.number) }.joined(separator: ", ")) are too large for one part"
        case .unmergeable(let ids):
            "one of parts \(ids.map { String($0.number) }.joined(separator: ", ")) has a state that cannot be read"
        case .rowsDiffer(let expected, let written): "a merge of \(expected) rows wrote \(written)"
        case .noSpace(let needed, let free): "a merge needs \(needed) bytes of disk, and \(free) are free"
        case .cancelled: "the merge was stopped"
        case .file(let error): error.description
        case .storage(let error): error.description
        }
    }

    /// The parts that must not be tried again.
    package var culprits: [PartID] {
        switch self {
        case .unreadable(let id, _), .notInOrder(let id): [id]
        case .tooLarge(let ids), .unmergeable(let ids): ids
        case .rowsDiffer, .noSpace, .cancelled, .file, .storage: []
        }
    }
}
