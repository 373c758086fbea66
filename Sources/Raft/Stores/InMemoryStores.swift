import Basics
import Synchronization

/// A `LogStore` in memory, for tests and examples. It forgets everything with the process.
public final class InMemoryLogStore: LogStore {
    private struct State {
        var first: LogIndex = LogIndex(1)
        var logs: [Log] = []
        var last: LogIndex { logs.isEmpty ? .zero : logs[logs.count - 1].index }
    }

    private let state = Mutex(State())

    public init() {}

    public var firstIndex: LogIndex { state.withLock { $0.logs.isEmpty ? .zero : $0.first } }
    public var lastIndex: LogIndex { state.withLock { $0.last } }

    public func log(at index: LogIndex) throws(LogStoreError) -> Log {
        let found: Log? = state.withLock { state in
            guard !state.logs.isEmpty, index >= state.first, index <= state.last else { return nil }
            return state.logs[index - state.first]
        }
        guard let found else { throw .notFound(index) }
        return found
    }

    public func storeLogs(_ logs: [Log]) throws(LogStoreError) {
        let gap: LogStoreError? = state.withLock { state in
            guard let first = logs.first else { return nil }
            // All of them or none: half a call would be neither what was there nor what was wanted.
            var expected = state.logs.isEmpty ? first.index : state.last.next
            for log in logs {
                guard log.index == expected else { return .gap(expected: expected, found: log.index) }
                expected = expected.next
            }
            if state.logs.isEmpty { state.first = first.index }
            state.logs += logs
            return nil
        }
        if let gap { throw gap }
    }

    public func deleteRange(_ min: LogIndex, _ max: LogIndex) throws(LogStoreError) {
        let hole: Bool = state.withLock { state in
            guard !state.logs.isEmpty, min <= max else { return false }
            if max >= state.last, min > state.first {
                state.logs.removeLast(Swift.max(0, (state.last - min) + 1))
            } else if min <= state.first {
                state.logs.removeFirst(Swift.min(state.logs.count, Swift.max(0, (max - state.first) + 1)))
                state.first = state.logs.first?.index ?? LogIndex(1)
            } else {
                return true
            }
            return false
        }
        if hole { throw .hole(min, max) }
    }
}

/// A `StableStore` in memory, for tests and examples.
public final class InMemoryStableStore: StableStore {
    private let values = Mutex<[String: UInt64]>([:])

    public init() {}

    public func set(_ key: String, _ value: UInt64) throws(LogStoreError) { values.withLock { $0[key] = value } }
    public func get(_ key: String) throws(LogStoreError) -> UInt64? { values.withLock { $0[key] } }
}
