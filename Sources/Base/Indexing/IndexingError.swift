/// Why bytes are no skip index.
package enum IndexingError: Error, Equatable {
    /// The bytes are not of a length or form that an index of this kind can have.
    case corrupt
}
