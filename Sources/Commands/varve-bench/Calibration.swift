import Core

/// How fast this machine is right now: XXH3 over 64 MB, the best of five passes, in GB/s.
enum Calibration {
    static func gigabytesPerSecond() -> Double {
        let bytes = [UInt8](unsafeUninitializedCapacity: 64 << 20) { buffer, count in
            for i in 0..<buffer.count { buffer[i] = UInt8(truncatingIfNeeded: i &* 31) }
            count = buffer.count
        }
        var best = Double.infinity
        var seen: UInt64 = 0
        for _ in 0..<5 {
            let begun = Clock.now()
            seen ^= XXH3.hash(bytes)
            best = min(best, Clock.now() - begun)
        }
        precondition(seen != 1, "the hash is used, so that it is computed")
        return Double(bytes.count) / best / 1e9
    }
}
