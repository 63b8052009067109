/// Whose data it is: the value of `X-Scope-OrgID`, safe as a folder name.
package struct TenantID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let name: String

    /// The tenant of a request that names none.
    package static let `default` = TenantID(unchecked: "default")

    /// The longest name, in bytes.
    package static let longestName = 150

    private init(unchecked name: String) { self.name = name }

    /// - Returns: nil if `name` is empty, too long, `.`, `..`, or holds anything but ASCII letters, digits and `!-_.*'()`.
    package init?(_ name: String) {
        guard !name.isEmpty, name.utf8.count <= Self.longestName, name != ".", name != "..",
            name.utf8.allSatisfy(Self.isAllowed)
        else { return nil }
        self.name = name
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "!-_.*'()".utf8.contains(byte)
        }
    }

    package var description: String { name }

    package static func < (left: TenantID, right: TenantID) -> Bool { left.name < right.name }
}
