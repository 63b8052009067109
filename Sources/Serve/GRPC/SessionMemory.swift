import CNGHTTP2
import Glibc
import Synchronization

/// Where a session of nghttp2 has its memory: as usual, but for two pieces on pages of their own, so that what they take of the machine
/// can be given back while the connection is idle.
///
/// - Its table of streams, one page that is zero while there are none.
/// - The buffer of the frame that is being sent, 16 KiB of which mostly the first page is ever used. Between two frames it holds nothing:
///   the library writes each from the buffer's beginning.
final class SessionMemory {
    private let pool: PagePool
    private var unit: UnsafeMutableRawPointer?
    private var hasTable = false
    private var hasFrames = false

    init(_ pool: PagePool) { self.pool = pool }

    deinit { if let unit { pool.giveBack(unit) } }

    /// As the library is given it; valid as long as the object.
    func allocator() -> nghttp2_mem {
        unit = unit ?? pool.take()
        return nghttp2_mem(
            mem_user_data: Unmanaged.passUnretained(self).toOpaque(),
            malloc: { size, _ in malloc(size) },
            free: { pointer, context in memory(context)?.free(pointer) },
            calloc: { count, size, context in memory(context)?.zeroed(count, size) },
            realloc: { pointer, size, context in memory(context)?.resized(pointer, size) })
    }

    private var frames: UnsafeMutableRawPointer? { unit.map { $0 + PagePool.page } }
    private static let framesCount = PagePool.unit - PagePool.page

    private func zeroed(_ count: Int, _ size: Int) -> UnsafeMutableRawPointer? {
        guard !hasTable, count.multipliedReportingOverflow(by: size) == (PagePool.page, false), let unit else {
            return calloc(count, size)
        }
        hasTable = true
        return unit
    }

    private func resized(_ pointer: UnsafeMutableRawPointer?, _ size: Int) -> UnsafeMutableRawPointer? {
        guard let frames, let pointer else {
            guard pointer == nil, !hasFrames, (16 << 10...Self.framesCount).contains(size), let frames else {
                return realloc(pointer, size)
            }
            hasFrames = true
            return frames
        }
        guard pointer == frames || pointer == unit else { return realloc(pointer, size) }
        if pointer == frames, size <= Self.framesCount { return frames }
        guard let new = malloc(size) else { return nil }
        memcpy(new, pointer, min(size, pointer == frames ? Self.framesCount : PagePool.page))
        free(pointer)
        return new
    }

    private func free(_ pointer: UnsafeMutableRawPointer?) {
        guard let pointer else { return }
        // What the library lets go of is not taken again: the table would have to be zero.
        if pointer != unit, pointer != frames { Glibc.free(pointer) }
    }

    /// Gives back what can be, of a session that has nothing to send.
    func release() {
        guard let unit else { return }
        let table = UnsafeRawBufferPointer(start: unit, count: PagePool.page).bindMemory(to: UInt64.self)
        if table.allSatisfy({ $0 == 0 }) {
            madvise(unit, PagePool.unit, MADV_DONTNEED)
        } else if let frames {
            madvise(frames, Self.framesCount, MADV_DONTNEED)
        }
    }
}

/// Pages of the system, in units for a session each, that no memory stands behind until they are written to.
final class PagePool: @unchecked Sendable {
    static let page = 4096
    /// A table of streams, and room for a frame of 16 KiB with its head.
    static let unit = 6 * page
    private static let slab = 64

    /// Addresses of units that nobody has; memory is kept for those to come.
    private let free = Mutex<[UInt]>([])

    func take() -> UnsafeMutableRawPointer? {
        free.withLock { free in
            if free.isEmpty { free = Self.slabOfUnits() }
            return free.popLast().flatMap { UnsafeMutableRawPointer(bitPattern: $0) }
        }
    }

    private static func slabOfUnits() -> [UInt] {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        let start = mmap(nil, slab * unit, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard let start, start != MAP_FAILED else { return [] }
        // A page that is touched would bring its neighbours.
        madvise(start, slab * unit, MADV_NOHUGEPAGE)
        return (0..<slab).map { UInt(bitPattern: start + $0 * unit) }
    }

    func giveBack(_ unit: UnsafeMutableRawPointer) {
        madvise(unit, Self.unit, MADV_DONTNEED)
        free.withLock { $0.append(UInt(bitPattern: unit)) }
    }
}

private func memory(_ context: UnsafeMutableRawPointer?) -> SessionMemory? {
    context.map { Unmanaged<SessionMemory>.fromOpaque($0).takeUnretainedValue() }
}
