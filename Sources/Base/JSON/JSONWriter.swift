/// Writes JSON text into a byte array, in one pass and without a tree.
package struct JSONWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}
}
