internal import Columns
internal import Core

/// Finds the series of a point from the bytes of its attributes, as they are in the request.
///
/// A *context* is a metric of a scope of a resource; points are looked up by their context's number followed by the bytes of
/// their attributes. Senders repeat their points in the same order at every export, so the series that came after the last one
/// the time before is compared first: then no hash is computed.
package struct SeriesCache: ~Copyable {
    private var contexts = StringInterner()
    private var keys = StringInterner()
    /// By key: the entry in the series column, or `unset` if the attributes turned out to be malformed.
    private var entries = BufferBuilder<UInt32>()
    /// By key: the key that followed it last.
    private var successors = BufferBuilder<UInt32>()
    private var last: UInt32 = 0
    private var scratch: [UInt8] = []
    private static var unset: UInt32 { .max }

    package init() {}

    package mutating func context(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBufferPointer { contexts.lookUp($0.baseAddress ?? Self.nowhere, $0.count) }
    }

    private static var nowhere: UnsafePointer<UInt8> { ProtobufSlice.empty.start }

    /// The number of the key made of a context and the bytes of a point's attributes, and whether it has no entry yet: then
    /// `setEntry` must follow.
    @inline(__always)
    package mutating func key(
        context: UInt32, _ start: UnsafePointer<UInt8>, count: Int
    ) -> (key: UInt32, isNew: Bool) {
        if keys.count > 0 {
            let predicted = successors.base[Int(last)]
            if keys.isEqual(predicted, prefix: context, start, count),
                entries.base[Int(predicted)] != Self.unset
            {
                last = predicted
                return (predicted, false)
            }
        }
        return find(context, start, count)
    }

    private mutating func find(
        _ context: UInt32, _ start: UnsafePointer<UInt8>, _ count: Int
    ) -> (key: UInt32, isNew: Bool) {
        scratch.removeAll(keepingCapacity: true)
        withUnsafeBytes(of: context) { scratch.append(contentsOf: $0) }
        scratch.append(contentsOf: UnsafeBufferPointer(start: start, count: count))
        let known = keys.count
        let key = scratch.withUnsafeBufferPointer { keys.lookUp($0.baseAddress ?? start, $0.count) }
        if keys.count > known {
            entries.append(Self.unset)
            successors.append(key)
        }
        successors.base[Int(last)] = key
        last = key
        return (key, entries.base[Int(key)] == Self.unset)
    }

    package mutating func setEntry(_ entry: UInt32, ofKey key: UInt32) { entries.base[Int(key)] = entry }

    @inline(__always)
    package func entry(ofKey key: UInt32) -> UInt32 { entries.base[Int(key)] }

    package var byteCount: Int { contexts.byteCount + keys.byteCount + entries.byteCount * 2 }
}
