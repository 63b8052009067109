private import CRoaring

/// A set of 32-bit numbers: postings of an index.
///
/// Source: D. Lemire et al., "Roaring Bitmaps: Implementation of an Optimized Software Library" (2018); the library is CRoaring.
/// Not safe to change while another thread looks at it: those that are shared do not change any more, or stand behind a lock.
package final class RoaringBitmap: @unchecked Sendable {
    private let bitmap: UnsafeMutablePointer<roaring_bitmap_t>

    private init(owning bitmap: UnsafeMutablePointer<roaring_bitmap_t>?) {
        // The library answers nil only if there is no memory.
        guard let bitmap else { preconditionFailure("out of memory") }
        self.bitmap = bitmap
    }

    /// The empty set.
    package convenience init() { self.init(owning: roaring_bitmap_create()) }

    package convenience init(_ numbers: [UInt32]) {
        self.init(owning: numbers.withUnsafeBufferPointer { roaring_bitmap_of_ptr($0.count, $0.baseAddress) })
    }

    deinit { roaring_bitmap_free(bitmap) }

    package func copy() -> RoaringBitmap { RoaringBitmap(owning: roaring_bitmap_copy(bitmap)) }

    // MARK: Elements

    package func insert(_ number: UInt32) { roaring_bitmap_add(bitmap, number) }

    package func contains(_ number: UInt32) -> Bool { roaring_bitmap_contains(bitmap, number) }

    package var count: Int { Int(truncatingIfNeeded: roaring_bitmap_get_cardinality(bitmap)) }

    package var isEmpty: Bool { roaring_bitmap_is_empty(bitmap) }

    /// How many elements are at most `number`.
    package func rank(_ number: UInt32) -> Int { Int(truncatingIfNeeded: roaring_bitmap_rank(bitmap, number)) }

    /// Ascending.
    package var numbers: [UInt32] {
        let count = count
        return Array(unsafeUninitializedCapacity: count) { target, filled in
            if count > 0 { roaring_bitmap_to_uint32_array(bitmap, target.baseAddress) }
            filled = count
        }
    }

    /// Of memory, about.
    package var byteCount: Int { Int(roaring_bitmap_size_in_bytes(bitmap)) + 64 }

    // MARK: Sets

    package func formUnion(_ other: RoaringBitmap) { roaring_bitmap_or_inplace(bitmap, other.bitmap) }

    package func formIntersection(_ other: RoaringBitmap) { roaring_bitmap_and_inplace(bitmap, other.bitmap) }

    package func subtract(_ other: RoaringBitmap) { roaring_bitmap_andnot_inplace(bitmap, other.bitmap) }

    package func intersection(_ other: RoaringBitmap) -> RoaringBitmap {
        RoaringBitmap(owning: roaring_bitmap_and(bitmap, other.bitmap))
    }

    package func intersects(_ other: RoaringBitmap) -> Bool { roaring_bitmap_intersect(bitmap, other.bitmap) }
}
