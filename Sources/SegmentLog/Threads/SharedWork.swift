import NIOConcurrencyHelpers
import Synchronization

/// One job's equal parts, done by the thread that has the job and by others that have time.
///
/// Whoever is free takes the next part. So helpers that are busy, or never come, cost the owner nothing: what they do
/// not take it does itself, and it waits only for parts that a helper has begun.
final class SharedWork<Part: Sendable, Output: Sendable>: Sendable {
    private struct State {
        var next = 0
        var outputs: [Output?]
        var unfinished: Int
    }

    private let parts: [Part]
    private let work: @Sendable (Part) -> Output
    private let state: Mutex<State>
    private let isFinished = ConditionLock(value: false)

    private init(_ parts: [Part], _ work: @escaping @Sendable (Part) -> Output) {
        self.parts = parts
        self.work = work
        state = Mutex(State(outputs: Array(repeating: nil, count: parts.count), unfinished: parts.count))
    }

    /// The outputs in the order of the parts. Blocks its caller, so only a storage thread may call it.
    ///
    /// - Parameter helpers: executors other than the caller's.
    static func map(
        _ parts: [Part], helpers: [any StorageExecutor], _ work: @escaping @Sendable (Part) -> Output
    ) -> [Output] {
        guard parts.count > 1 else { return parts.map(work) }
        let shared = SharedWork(parts, work)
        for helper in helpers.prefix(parts.count - 1) { helper.submit { shared.takeParts() } }
        shared.takeParts()
        shared.isFinished.lock(whenValue: true)
        shared.isFinished.unlock()
        return shared.state.withLock { $0.outputs.compactMap { $0 } }
    }

    private func takeParts() {
        while let number = takeNext() {
            let output = work(parts[number])
            let isLast = state.withLock { state in
                state.outputs[number] = output
                state.unfinished -= 1
                return state.unfinished == 0
            }
            guard isLast else { continue }
            isFinished.lock()
            isFinished.unlock(withValue: true)
        }
    }

    private func takeNext() -> Int? {
        state.withLock { state in
            guard state.next < parts.count else { return nil }
            defer { state.next += 1 }
            return state.next
        }
    }
}
