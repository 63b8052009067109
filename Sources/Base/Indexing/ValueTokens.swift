import Core

/// The tokens of whole values: of ids, and of attributes.
///
/// An attribute has the token of its key and, unless it is *odd*, one of its key and value. Odd are values that a search may
/// mean by another text than the one they are stored as: doubles, bytes, arrays, maps, empty values, and strings that are not
/// ASCII, since equal texts may differ in their bytes. They have the token of odd values of their key. Attributes for which
/// there was no subcolumn have one token for all.
package enum ValueTokens {
    private static let valueSeed: UInt64 = 0x7661_6C75_6500_0001
    private static let integerSeed: UInt64 = 0x696E_7465_6700_0002
    private static let oddSeed: UInt64 = 0x6F64_6400_0000_0003
    /// Of attributes without a subcolumn.
    package static let overflow: UInt64 = 0x9D2C_5680_7A1E_64F3

    /// An id.
    package static func hash(_ value: UnsafeRawBufferPointer) -> UInt64 { XXH3.hash(value) }

    package static func key(_ key: [UInt8]) -> UInt64 { XXH3.hash(key) }

    /// - Parameter key: the token of the key.
    package static func odd(_ key: UInt64) -> UInt64 { mix(key ^ oddSeed) }

    @inline(__always)
    package static func string(_ value: UnsafeRawBufferPointer, key: UInt64) -> UInt64 {
        XXH3.hash(value, seed: key ^ valueSeed)
    }

    /// An int, or a bool as 0 or 1.
    @inline(__always)
    package static func integer(_ value: Int64, key: UInt64) -> UInt64 {
        mix(mix(key ^ integerSeed) ^ UInt64(bitPattern: value))
    }

    /// Whether a string is found by its bytes: ASCII alone, which no other text is equal to that is not odd.
    @inline(__always)
    package static func isPlain(_ value: UnsafeRawBufferPointer) -> Bool {
        var bits: UInt8 = 0
        for byte in value { bits |= byte }
        return bits < 0x80
    }

    /// A bijection whose every output bit depends on every input bit (the finalizer of SplitMix64).
    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z &>> 31)
    }
}
