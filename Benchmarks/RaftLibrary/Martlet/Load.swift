import NIOCore
import Raft

/// Keeps commands under way on one node until a time. Answers with the nanoseconds that each took which was answered
/// within the measurement.
struct Load: Sendable {
    let raft: Raft<CommandCounter>
    let command: ByteBuffer
    let measureFrom: NIODeadline
    let end: NIODeadline

    /// One task for each command under way, as the Go program has goroutines.
    func byTasks(_ outstanding: Int) async throws -> [Int64] {
        try await withThrowingTaskGroup(of: [Int64].self) { group in
            for _ in 0..<outstanding {
                group.addTask {
                    var times: [Int64] = []
                    while true {
                        let start = NIODeadline.now()
                        guard start < end else { return times }
                        _ = try await raft.apply(command).value
                        count(from: start, into: &times)
                    }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    /// No task at all: each answer's callback proposes the next command.
    func onLoop(_ outstanding: Int, _ loop: any EventLoop) async throws -> [Int64] {
        let finished = loop.makePromise(of: [Int64].self)
        loop.execute {
            let callbacks = Callbacks(load: self, underWay: outstanding, finished: finished)
            for _ in 0..<outstanding { callbacks.propose() }
        }
        return try await finished.futureResult.get()
    }

    fileprivate func count(from start: NIODeadline, into times: inout [Int64]) {
        let now = NIODeadline.now()
        if now >= measureFrom, now < end { times.append((now - start).nanoseconds) }
    }
}

/// Owned by the leader's event loop.
private final class Callbacks {
    private let load: Load
    private var underWay: Int
    private let finished: EventLoopPromise<[Int64]>
    private var times: [Int64] = []

    init(load: Load, underWay: Int, finished: EventLoopPromise<[Int64]>) {
        self.load = load
        self.underWay = underWay
        self.finished = finished
    }

    func propose() {
        let start = NIODeadline.now()
        guard start < load.end else {
            underWay -= 1
            if underWay == 0 { finished.succeed(times) }
            return
        }
        load.raft.apply(load.command).whenComplete { outcome in
            switch outcome {
            case .success:
                self.load.count(from: start, into: &self.times)
                self.propose()
            case .failure(let error):
                self.finished.fail(error)
            }
        }
    }
}
