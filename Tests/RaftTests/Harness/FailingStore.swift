import Basics
import Raft
import Synchronization

/// A log store that refuses to write when it is told to.
final class FailingStore: LogStore {
    private let store = InMemoryLogStore()
    private let error = Mutex<LogStoreError?>(nil)

    /// What every write fails with from now on; nil for none.
    func fail(with error: LogStoreError?) { self.error.withLock { $0 = error } }

    var firstIndex: LogIndex { store.firstIndex }
    var lastIndex: LogIndex { store.lastIndex }
    func log(at index: LogIndex) throws(LogStoreError) -> Log { try store.log(at: index) }

    func storeLogs(_ logs: [Log]) throws(LogStoreError) {
        if let error = error.withLock({ $0 }) { throw error }
        try store.storeLogs(logs)
    }

    func deleteRange(_ min: LogIndex, _ max: LogIndex) throws(LogStoreError) { try store.deleteRange(min, max) }
}
