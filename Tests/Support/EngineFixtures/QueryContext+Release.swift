import Glibc
package import Scheduling

extension QueryContext {
    /// Whether everything is given back, now or soon: a thread of the pool may let go of its last block shortly after a query has ended.
    package var isSoonFree: Bool {
        for _ in 0..<1000 where heldBytes != 0 { usleep(1000) }
        return heldBytes == 0
    }
}
