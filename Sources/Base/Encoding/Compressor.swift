private import Compression

/// The general-purpose compression of payloads, and the rule when it is worth its decoding time.
struct Compressor {
    var kind: CompressionID
    var level: Int32

    enum Effort {
        /// The payload is known to gain nothing.
        case never
        /// Try a sample first.
        case sampled
        case full
    }

    /// Below this a frame's header eats the gain.
    private static let leastBytes = 48
    private static let sampleBytes = 4096

    /// Whether `stored` instead of `raw` bytes is gain enough to decompress on every read: more than 6 %.
    static func pays(stored: Int, raw: Int) -> Bool { stored < raw - raw / 16 }

    /// Appends `payload` compressed if that pays, as it is if not.
    func append(_ payload: UnsafeRawBufferPointer, effort: Effort, to sink: inout ByteSink) -> CompressionID {
        guard kind != .none, payload.count >= Self.leastBytes, isPromising(payload, effort) else {
            sink.append(payload)
            return .none
        }
        let room = bound(payload.count)
        let target = UnsafeMutableRawBufferPointer(start: sink.reserve(room), count: room)
        guard let stored = compress(payload, into: target), Self.pays(stored: stored, raw: payload.count) else {
            sink.append(payload)
            return .none
        }
        sink.advance(stored)
        return kind
    }

    private func isPromising(_ payload: UnsafeRawBufferPointer, _ effort: Effort) -> Bool {
        switch effort {
        case .never: return false
        case .full: return true
        case .sampled:
            guard payload.count > Self.sampleBytes * 2 else { return true }
            let start = (payload.count - Self.sampleBytes) / 2
            let sample = UnsafeRawBufferPointer(rebasing: payload[start..<(start + Self.sampleBytes)])
            return Self.pays(stored: compressedSize(sample), raw: sample.count)
        }
    }

    /// For trying things out: no level finds more per microsecond than 1.
    var sampling: Compressor { Compressor(kind: kind, level: min(level, 1)) }

    /// What `bytes` would compress to, roughly.
    func compressedSize(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard kind != .none else { return bytes.count }
        let memory = Scratch<UInt8>(bound(bytes.count))
        return sampling.compress(bytes, into: memory.bytes) ?? bytes.count
    }

    private func bound(_ count: Int) -> Int {
        kind == .lz4 ? LZ4.bound(count) : Zstd.bound(count)
    }

    private func compress(_ bytes: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Int? {
        switch kind {
        case .none: nil
        case .zstd: Zstd.compress(bytes, level: level, into: target)
        case .lz4: LZ4.compress(bytes, into: target)
        }
    }

    static func decompress(
        _ bytes: UnsafeRawBufferPointer, _ compression: CompressionID, into target: UnsafeMutableRawBufferPointer
    ) throws(EncodingError) {
        do throws(CompressionError) {
            switch compression {
            case .none:
                guard bytes.count == target.count else { throw .corrupt }
                target.copyMemory(from: bytes)
            case .zstd: try Zstd.decompress(bytes, into: target)
            case .lz4: try LZ4.decompress(bytes, into: target)
            }
        } catch {
            throw .corrupt
        }
    }
}
