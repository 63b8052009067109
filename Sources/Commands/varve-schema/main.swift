internal import Glibc
internal import Schema
internal import TableSchema

// Prints what Schema/LOCK must hold for the tables in Schema/; tools/schema compares it with what it holds.
do {
    print(try TableCatalog.lock(for: Schema.files, extending: Schema.lock), terminator: "")
} catch {
    print(error)
    exit(1)
}
