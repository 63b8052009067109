import Testing

@testable import Indexing
