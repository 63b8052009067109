/// A page as it is stored in a part, its checksum verified: what a merge copies when none of its rows move.
package struct StoredPage: Sendable {
    let entry: PageEntry
    let bytes: [UInt8]
    /// Of its values, or of its codes; nil if it is unknown.
    let zone: Zone?
    package let kind: LeafKind

    package var count: Int { entry.count }
}

extension Part {
    /// The page of a leaf in a block, not decoded; nil if the part does not have the leaf.
    ///
    /// - Parameter count: how many values it must have.
    package func storedPage(of key: LeafKey, count: Int, block: Int) throws(PartError) -> StoredPage? {
        guard let index = leafOfKey[key] else { return nil }
        let leaf = footer.leaves[index]
        let page = leaf.pages[block]
        guard page.count == count else { throw .corruptPage(column: key.column, block: block) }
        return StoredPage(
            entry: page, bytes: try read(page, column: key.column, block: block),
            zone: leaf.zones.isEmpty ? nil : leaf.zones[block], kind: leaf.kind)
    }
}
