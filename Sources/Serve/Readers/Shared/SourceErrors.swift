internal import Execution
internal import Observability
internal import Parts
internal import Plans
internal import QueryModel
internal import Scheduling
internal import Storage

extension QueryContext {
    /// Runs what reads a part, or one of its blocks; what is damaged is left out with a warning.
    ///
    /// - Returns: nil if it is left out.
    func reading<Result>(
        _ handle: PartHandle, block: Int? = nil, _ body: () throws -> Result
    ) throws -> Result? {
        let failure: PartError
        do {
            return try body()
        } catch StorageError.part(_, let error) {
            failure = error
        } catch let error as PartError {
            failure = error
        }
        guard let warning = handle.leaveOut(failure, block: block) else {
            throw StorageError.part(path: handle.path, failure)
        }
        statistics.warn(warning)
        return nil
    }
}

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
        } catch let error as ExecutionError {
            throw .execution(error.description)
        } catch let error as PlanError {
            throw .execution(error.description)
        } catch {
            throw .storage("\(error)")
        }
    }
}
