internal import Core
internal import Parts
internal import QueryModel
internal import Storage

/// Turns what the engine throws into what query languages know.
enum SourceErrors {
    static func mapping<Result>(_ body: () throws -> Result) throws(QueryError) -> Result {
        do {
            return try body()
        } catch let error as QueryError {
            throw error
        } catch let error as QueryInterruption {
            throw .interrupted(error)
        } catch ScanError.interrupted(let reason) {
            throw .interrupted(reason)
        } catch ScanError.storage(let error) {
            throw .storage(error.description)
        } catch let error as StorageError {
            throw .storage(error.description)
        } catch {
            throw .storage("\(error)")
        }
    }
}
