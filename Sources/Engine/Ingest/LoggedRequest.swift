package import Core

/// A request body as it was received, or compressed since, with what is needed to decode it again.
package struct LoggedRequest: Sendable {
    package enum Signal: UInt8, Sendable { case traces = 1, logs, metrics }
    package enum Format: UInt8, Sendable { case protobuf = 0, json }
    package enum Coding: UInt8, Sendable { case identity = 0, gzip, zstd, deflate, lz4 }

    package var signal: Signal
    package var format: Format
    package var coding: Coding
    package var tenant: TenantID
    /// Nanoseconds since the epoch: the time of log records that have none.
    package var received: Int64
    /// The times of rows that were accepted when the request came, nanoseconds since the epoch; nil: all. It is logged, so that a
    /// replay refuses the same rows.
    package var times: ClosedRange<Int64>?
    package var body: [UInt8]

    package init(
        signal: Signal, format: Format, coding: Coding, tenant: TenantID, received: Int64,
        times: ClosedRange<Int64>? = nil, body: [UInt8]
    ) {
        self.times = times
        self.signal = signal
        self.format = format
        self.coding = coding
        self.tenant = tenant
        self.received = received
        self.body = body
    }
}

/// The bytes of the log; docs/FORMAT.md, "Write-ahead log".
enum LogFormat {
    static let recordHeaderLength = 32
    static let bodyLimit = 1 << 30
    /// In the byte of the format: behind the tenant stand the times that were accepted.
    static let hasTimes: UInt8 = 0x80
    static let timesLength = 16

    /// The record's bytes before its body: header, tenant and times.
    static func head(_ request: LoggedRequest, position: UInt64, salt: UInt32 = 0) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(recordHeaderLength + request.tenant.name.utf8.count)
        append(UInt32(request.body.count), to: &bytes)
        bytes.append(request.signal.rawValue)
        bytes.append(request.format.rawValue | (request.times == nil ? 0 : hasTimes))
        bytes.append(request.coding.rawValue)
        bytes.append(UInt8(request.tenant.name.utf8.count))
        append(position, to: &bytes)
        append(UInt64(bitPattern: request.received), to: &bytes)
        var rest = Array(request.tenant.name.utf8)
        if let times = request.times {
            append(times.lowerBound, to: &rest)
            append(times.upperBound, to: &rest)
        }
        append(checksum(Array(bytes), rest, request.body, salt: salt), to: &bytes)
        return bytes + rest
    }

    /// - Parameter rest: the tenant and the times.
    static func checksum(
        _ header: [UInt8], _ rest: [UInt8], _ body: [UInt8], salt: UInt32 = 0
    ) -> UInt64 {
        let head = XXH3.hash((header + rest).span, seed: UInt64(salt))
        return XXH3.hash(body.span, seed: head)
    }

    private static func append<Word: FixedWidthInteger>(_ value: Word, to bytes: inout [UInt8]) {
        bytes.append(littleEndian: value)
    }

    static func word(_ bytes: [UInt8], _ at: Int) -> UInt64 {
        bytes.span.littleEndian(at: at)
    }
}
