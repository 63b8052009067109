internal import Core
private import Glibc
private import JSON
package import Observability

/// The log as JSON, an entry a line: `{"time":"2026-01-02T03:04:05.678Z","level":"info","message":"…", fields…}`.
package enum JSONLog {
    /// Writes to standard error. A line is written by one call, so that lines of several threads do not mix.
    package static func standardError(level: Log.Level) -> Log {
        Log(level: level) { entry in
            StandardStream.write(line(entry, at: currentTime()), to: .error)
        }
    }

    static func line(_ entry: Log.Entry, at time: Timestamp) -> [UInt8] {
        var writer = JSONWriter(reserving: 256)
        writer.beginObject()
        writer.key("time")
        writer.string(text(of: time))
        writer.key("level")
        writer.string(entry.level.name)
        writer.key("message")
        writer.string(entry.message)
        for field in entry.fields {
            writer.key(field.name)
            switch field.value {
            case .string(let text): writer.string(text)
            case .int(let number): writer.int(number)
            case .double(let number): writer.double(number)
            case .bool(let flag): writer.bool(flag)
            }
        }
        writer.endObject()
        writer.newline()
        return writer.bytes
    }

    private static func currentTime() -> Timestamp {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return Timestamp(nanoseconds: Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec))
    }

    private static func text(of time: Timestamp) -> String {
        let milliseconds = time.milliseconds
        var fraction = milliseconds % 1000
        if fraction < 0 { fraction += 1000 }
        var seconds = time_t((milliseconds - fraction) / 1000)
        var parts = unsafe tm()
        unsafe gmtime_r(&seconds, &parts)
        let date =
            unsafe "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))"
        let clock =
            unsafe "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
        return "\(date)T\(clock).\(padded(Int(fraction), 3))Z"
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
