import Archive
import Core

/// A file of the archive, as it is and with a checksum that is right, which chance would never hit.
extension FuzzTarget {
    private static let limit = 1 << 20

    static let archive = FuzzTarget(
        "archive",
        seeds: {
            [[], Array(#"{"resourceSpans":[]}"#.utf8), [UInt8](repeating: 7, count: 5_000)].map {
                TraceFile.bytes(of: $0)
            }
        }
    ) { bytes in
        let file = Array(bytes)
        check(file)
        guard file.count > 24 else { return }
        var sealed = file
        let sum = XXH3.hash(Array(file[24...]), seed: XXH3.hash(Array(file[..<16])))
        for place in 0..<8 { sealed[16 + place] = UInt8(truncatingIfNeeded: sum >> UInt64(8 * place)) }
        check(sealed)
    }

    private static func check(_ file: [UInt8]) {
        guard let document = TraceFile.document(in: file, limit: limit) else { return }
        precondition(document.count <= limit, "a document is larger than it may be")
        precondition(
            TraceFile.document(in: TraceFile.bytes(of: document), limit: limit) == document, "a document changed")
    }
}

extension XXH3 {
    fileprivate static func hash(_ bytes: [UInt8], seed: UInt64) -> UInt64 {
        bytes.withUnsafeBytes { hash($0, seed: seed) }
    }
}
