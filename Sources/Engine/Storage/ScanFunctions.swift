package import Columns
package import Core
package import Parts
package import Plans

/// What plans mean that the engine cannot know: values inside the bytes of a signal's messages. Plans name functions, and each process
/// that runs them has the same ones.
package protocol ScanFunctions: Sendable {
    /// Whether there is a function of that name.
    func knows(_ function: String) -> Bool

    /// What a function makes of an entry of a column of strings; asked once for each entry of a dictionary.
    func values(_ derivation: Derivation, of entry: Span<UInt8>) -> [AttributeValue]

    /// Whether a function accepts the key of an attribute.
    func match(_ derivation: Derivation, key: [UInt8]) -> AttributeProbe.Match

    /// A list or a map by its bytes.
    func value(_ type: AttributeType, _ bytes: Span<UInt8>) -> AttributeValue

    /// The values with a key among attributes for which there was no subcolumn.
    func values(ofKey key: [UInt8], amongOverflow bytes: Span<UInt8>) -> [AttributeValue]
}

/// Of tables whose strings mean nothing but themselves.
package struct NoScanFunctions: ScanFunctions {
    package init() {}

    package func knows(_ function: String) -> Bool { false }
    package func values(_ derivation: Derivation, of entry: Span<UInt8>) -> [AttributeValue] { [] }
    package func match(_ derivation: Derivation, key: [UInt8]) -> AttributeProbe.Match { .none }
    package func value(_ type: AttributeType, _ bytes: Span<UInt8>) -> AttributeValue { .empty }
    package func values(ofKey key: [UInt8], amongOverflow bytes: Span<UInt8>) -> [AttributeValue] { [] }
}
