package import Parts
internal import TableSchema

extension PartHandle {
    /// Notes that the part, or one of its blocks, cannot be read and is left out of an answer.
    ///
    /// - Parameter block: nil for all of the part.
    /// - Returns: what to tell the one who asked; nil if the failure may be over soon, and is one of the query.
    package func leaveOut(_ error: PartError, block: Int? = nil) -> String? {
        switch error {
        case .file(_, errno: Self.inputOutputError), .unsupportedVersion: break
        case .file where !isSetAside: return nil
        default:
            if let block {
                damage.note(Damage(.block, path, block: block, "\(error)"))
            } else if !isSetAside {
                damage.note(Damage(.part, path, "\(error)", rowCount: record.rowCount))
            }
        }
        let place = block.map { "block \($0) of part \(record.id.number)" } ?? "part \(record.id.number)"
        return "\(place) of \(table.name) cannot be read and is left out: \(error)"
    }

    /// `EIO`: the disk has lost what it was given.
    private static var inputOutputError: Int32 { 5 }
}
