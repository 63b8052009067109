/// What this process mixes into the hashes of tables that are in memory only.
///
/// Clients choose the strings, ids and attributes that such tables hold. With a hash that everybody can compute they could choose
/// many that meet in one slot, and every look-up would pass them all. Hashes that are stored, in bloom filters, identities and
/// checksums, have no seed; a table of those spreads them by `slot`.
package enum HashSeed {
    package static let value = UInt64.random(in: 0 ... .max) | 1

    /// A slot below `1 << bits` for a hash that has no seed: multiplication by a random odd number keeps two hashes apart with
    /// high probability, whoever chose them (Dietzfelbinger et al., 1997). `bits` is at least 1.
    @inline(__always)
    package static func slot(_ hash: UInt64, bits: Int, seed: UInt64) -> Int {
        Int(truncatingIfNeeded: (hash &* seed) &>> UInt64(truncatingIfNeeded: 64 &- bits))
    }
}
