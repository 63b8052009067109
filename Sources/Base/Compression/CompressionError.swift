/// Why bytes could not be decompressed.
package enum CompressionError: Error, Equatable {
    /// The bytes are no complete, valid stream, or not of the length that was announced.
    case corrupt
    /// The result would be longer than the caller allows.
    case tooLarge(limit: Int)
    /// A valid stream that asks for more than is allowed here: a window beyond 8 MiB, a dictionary.
    case unsupported
}
