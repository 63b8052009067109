internal import Core

/// The bytes of plans: what travels to where rows are. docs/FORMAT.md, "Plans", has them all.
///
/// A reader takes nothing on trust: every number is bounded, what nests is counted, and what takes memory is no more than some
/// times the bytes that say it.
package enum PlanFormat {
    package static let version = 1
    /// Of a whole plan.
    package static let byteLimit = 16 << 20
    package static let depthLimit = 32
    /// Predicates, conditions and operands together.
    package static let nodeLimit = 4096
    package static let patternLimit = 32
    package static let patternByteLimit = 64 << 10
    package static let columnLimit = 1024
    package static let keyLimit = 64
    package static let aggregateLimit = 64
    package static let edgeLimit = 1 << 16
}

typealias PlanWriter = ByteWriter
typealias PlanReader = ByteReader<PlanError>

extension PlanError: ByteFailure {}

extension PlanReader {
    init(_ bytes: [UInt8]) throws(PlanError) { try self.init(bytes, atMost: PlanFormat.byteLimit) }

    mutating func version() throws(PlanError) {
        let version = try natural()
        guard version > 0 else { throw .corrupt }
        guard version <= PlanFormat.version else { throw .unsupportedVersion(Int(clamping: version)) }
    }

    mutating func pattern() throws(PlanError) -> String {
        try pattern(atMost: PlanFormat.patternLimit, bytes: PlanFormat.patternByteLimit)
    }

    /// Predicates, conditions and operands.
    mutating func nested<Value>(
        _ read: (inout PlanReader) throws(PlanError) -> Value
    ) throws(PlanError) -> Value {
        try nested(atMost: PlanFormat.nodeLimit, depth: PlanFormat.depthLimit, of: "conditions", read)
    }
}
