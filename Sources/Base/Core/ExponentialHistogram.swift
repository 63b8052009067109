/// A distribution of positive integers in buckets that grow by 2^(1/32): OpenTelemetry's exponential histogram of scale 5, which is
/// Prometheus's native histogram of schema 5.
///
/// Bucket `i` counts values in (2^(i/32), 2^((i+1)/32)]; a value that is not positive counts as zero. Buckets do not depend on what
/// was counted before, so merging in any order gives the same histogram as counting all values in one. A quantile is off by at
/// most `relativeError` of its value.
///
/// Source: the specification of OpenTelemetry's metrics data model, "ExponentialHistogram"; of the estimate, Masson et al.,
/// "DDSketch", VLDB 2019.
package struct ExponentialHistogram: Hashable, Sendable {
    package static let scale = 5
    /// (b - 1) / (b + 1) with b = 2^(1/32).
    package static let relativeError = 0.010831
    /// Of the greatest integer.
    static let lastIndex = 63 << scale

    /// Values of 0 and below.
    package private(set) var zeroCount: UInt64 = 0
    /// The index of the first of `counts`.
    package private(set) var offset = 0
    /// By bucket from `offset` on; neither the first nor the last is 0, except while values are counted.
    package private(set) var counts: [UInt64] = []

    package init() {}

    package var count: UInt64 { counts.reduce(zeroCount) { $0 &+ $1 } }

    package mutating func insert(_ value: Int64, count: UInt64 = 1) {
        guard value > 0 else { return zeroCount &+= count }
        add(count, at: Self.index(of: UInt64(value)))
    }

    package mutating func merge(_ other: ExponentialHistogram) {
        zeroCount &+= other.zeroCount
        guard let last = other.counts.indices.last else { return }
        reserve(other.offset)
        reserve(other.offset + last)
        for (slot, count) in other.counts.enumerated() { counts[other.offset - offset + slot] &+= count }
    }

    /// The value of which a share `quantile` of all is not above, by nearest rank, within `relativeError`; nil if there are none.
    package func quantile(_ quantile: Double) -> Double? {
        let total = count
        guard total > 0, quantile >= 0, quantile <= 1 else { return nil }
        let rank = max(1, (quantile * Double(total)).rounded(.up))
        var seen = Double(zeroCount)
        if seen >= rank { return 0 }
        for (slot, count) in counts.enumerated() where count > 0 {
            seen += Double(count)
            if seen >= rank { return Self.estimate(offset + slot) }
        }
        return counts.indices.last.map { Self.estimate(offset + $0) } ?? 0
    }

    /// The sum of all values that are positive, within `relativeError`.
    package var estimatedSum: Double {
        counts.enumerated().reduce(0) { $0 + Double($1.element) * Self.estimate(offset + $1.offset) }
    }

    /// The bucket of a positive value.
    @inline(__always)
    package static func index(of value: UInt64) -> Int {
        let shift = value.leadingZeroBitCount
        let normal = value << UInt64(shift)
        let power = (63 - shift) << scale
        // A power of two is the upper bound of its bucket.
        if normal == 1 << 63 { return power - 1 }
        let sixtyFourth = Int(truncatingIfNeeded: (normal >> 57) & 63)
        let guess = Int(firstBucket[sixtyFourth])
        return power + guess + (guess < 31 && normal > bounds[guess + 1] ? 1 : 0)
    }

    /// The value that is off by the same share from both bounds of a bucket.
    private static func estimate(_ index: Int) -> Double {
        // Of an integer that is its bucket's only one: 1.
        if index < 0 { return 1 }
        let power = index >> scale
        let lower = Double(bounds[index & 31]) / 0x1p63 * Double(UInt64(1) << UInt64(power))
        let growth = Double(bounds[1]) / 0x1p63
        return 2 * lower * growth / (growth + 1)
    }

    @inline(__always)
    private mutating func add(_ count: UInt64, at index: Int) {
        let slot = index &- offset
        if slot >= 0, slot < counts.count { return counts[slot] &+= count }
        reserve(index)
        counts[index - offset] &+= count
    }

    /// Makes room for a bucket.
    private mutating func reserve(_ index: Int) {
        if counts.isEmpty {
            offset = index
            counts = [0]
        } else if index < offset {
            counts.insert(contentsOf: repeatElement(0, count: offset - index), at: 0)
            offset = index
        } else if index - offset >= counts.count {
            counts.append(contentsOf: repeatElement(0, count: index - offset - counts.count + 1))
        }
    }

    /// 2^63 times 2^(j/32), rounded down.
    private static let bounds: [UInt64] = [
        0x8000_0000_0000_0000, 0x82CD_8698_AC2B_A1D7, 0x85AA_C367_CC48_7B14, 0x8898_0E80_92DA_8527,
        0x8B95_C1E3_EA8B_D6E6, 0x8EA4_398B_45CD_53C0, 0x91C3_D373_AB11_C336, 0x94F4_EFA8_FEF7_0961,
        0x9837_F051_8DB8_A96F, 0x9B8D_39B9_D54E_5538, 0x9EF5_3260_91A1_11AD, 0xA270_4303_0C49_6818,
        0xA5FE_D6A9_B151_38EA, 0xA9A1_5AB4_EA7C_0EF8, 0xAD58_3EEA_42A1_4AC6, 0xB123_F581_D2AC_258F,
        0xB504_F333_F9DE_6484, 0xB8FB_AF47_62FB_9EE9, 0xBD08_A39F_580C_36BE, 0xC12C_4CCA_6670_9456,
        0xC567_2A11_5506_DADD, 0xC9B9_BD86_6E2F_27A2, 0xCE24_8C15_1F84_80E3, 0xD2A8_1D91_F12A_E45A,
        0xD744_FCCA_D69D_6AF4, 0xDBFB_B797_DAF2_3755, 0xE0CC_DEEC_2A94_E111, 0xE5B9_06E7_7C83_48A8,
        0xEAC0_C6E7_DD24_392E, 0xEFE4_B99B_DCDA_F5CB, 0xF525_7D15_2486_CC2C, 0xFA83_B2DB_722A_033A,
    ]

    /// By the six bits behind a value's first: the bucket of the least value with them. No two bounds share six bits.
    private static let firstBucket: [UInt8] = (0..<64).map { bits in
        let least = (64 + UInt64(bits)) << 57
        return UInt8(bounds.lastIndex { $0 <= least } ?? 0)
    }
}

/// The bytes of a histogram in a column; docs/FORMAT.md, "States".
extension ExponentialHistogram {
    /// Varints: the scale, the values that are not positive, the number of buckets in use, and for each the distance from the one
    /// before (the first: its index plus one) and its count.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        Varint.append(UInt64(Self.scale), to: &bytes)
        Varint.append(zeroCount, to: &bytes)
        Varint.append(UInt64(counts.count { $0 > 0 }), to: &bytes)
        var last = -1
        for (slot, count) in counts.enumerated() where count > 0 {
            Varint.append(UInt64(offset + slot - last), to: &bytes)
            Varint.append(count, to: &bytes)
            last = offset + slot
        }
        return bytes
    }

    /// - Returns: nil if the bytes are no histogram.
    package init?(bytes: Span<UInt8>) {
        var position = 0
        guard Varint.read(bytes, &position) == UInt64(Self.scale), let zeroes = Varint.read(bytes, &position),
            let used = Varint.read(bytes, &position), used <= UInt64(Self.lastIndex + 1)
        else { return nil }
        self.init()
        zeroCount = zeroes
        var index = -1
        for turn in 0..<used {
            guard let distance = Varint.read(bytes, &position), distance > 0 || turn == 0,
                distance <= UInt64(Self.lastIndex), let count = Varint.read(bytes, &position), count > 0
            else { return nil }
            index += Int(distance)
            guard index < Self.lastIndex else { return nil }
            add(count, at: index)
        }
        guard position == bytes.count else { return nil }
    }
}
