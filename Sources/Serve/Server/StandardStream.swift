private import Glibc

/// The process's standard output and error, written without buffers and without failing: nobody may be reading.
enum StandardStream: Int32 {
    case output = 1
    case error = 2

    static func write(_ text: String, to stream: StandardStream) { write(Array(text.utf8), to: stream) }

    static func write(_ bytes: [UInt8], to stream: StandardStream) {
        unsafe bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = unsafe Glibc.write(
                    stream.rawValue, buffer.baseAddress.map { unsafe $0 + done }, buffer.count - done)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                done += count
            }
        }
    }
}
