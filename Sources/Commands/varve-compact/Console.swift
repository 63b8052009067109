internal import Core
internal import Glibc

/// Nobody reads what is written any more.
struct ReaderHasGone: Error {}

/// The process's standard output, or a descriptor in its place, written in large pieces.
struct StandardOutput: ~Copyable {
    private static let pieceBytes = 1 << 18

    private var pending: [UInt8] = []
    private let descriptor: Int32

    init(descriptor: Int32 = 1) { self.descriptor = descriptor }

    mutating func write(_ text: String) throws(ReaderHasGone) { try write(Array(text.utf8)) }

    mutating func write(_ bytes: [UInt8]) throws(ReaderHasGone) {
        pending += bytes
        if pending.count >= Self.pieceBytes { try flush() }
    }

    /// - Throws: at the first byte that cannot be written: the reader has gone, or the disk behind the descriptor is full.
    mutating func flush() throws(ReaderHasGone) {
        guard Console.write(pending, to: descriptor) else { throw ReaderHasGone() }
        pending.removeAll(keepingCapacity: true)
    }
}

/// Standard error, and numbers as people read them.
enum Console {
    static func error(_ text: String) { _ = write(Array(text.utf8), to: 2) }

    static var errorIsTerminal: Bool { isatty(2) == 1 }

    /// - Returns: whether all of it was written.
    static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        unsafe bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = unsafe Glibc.write(
                    descriptor, buffer.baseAddress.map { unsafe $0 + done }, buffer.count - done)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return false }
                done += count
            }
            return true
        }
    }

    /// `1,234,567`.
    static func grouped(_ value: some BinaryInteger) -> String {
        var text = ""
        for (i, digit) in String(value.magnitude).reversed().enumerated() {
            if i > 0, i % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return (value < 0 ? "-" : "") + String(text.reversed())
    }

    /// `12.3 MB`.
    static func size(_ bytes: Int64) -> String {
        var value = Double(bytes)
        var unit = "B"
        for larger in ["kB", "MB", "GB", "TB"] where value >= 1000 {
            value /= 1000
            unit = larger
        }
        if unit == "B" { return "\(bytes) B" }
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(unit)"
    }

    static func timeOfDay() -> Timestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Seconds of a clock that never goes back.
    static func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
