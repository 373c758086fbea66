import Foundation
import Glibc
import Histogram
import MartletClient
import NIOCore
import NIOPosix

/// Connections under load until a time or until they have nothing more to do, and what they have done.
struct LoadRun: Sendable {
    struct Result: Sendable {
        var seconds: Double
        var counts: LoadCounts
        var latency: Histogram<UInt64>
        /// Of the acknowledgements, where they are not what ``latency`` is about.
        var acknowledgement: Histogram<UInt64>
        /// Within the measurement; memory since each process began.
        var brokers: [ProcessUsage]
        var clientCPUSeconds: Double
    }

    /// One connection's work.
    struct Job: Sendable {
        /// Counted from 0.
        let number: Int
        let share: BenchTarget.Share
        let statistics: NIOLoopBound<LoadStatistics>
        /// When to send no more.
        let deadline: NIODeadline
    }

    /// Starts a connection's work on the event loop of its statistics.
    typealias Start = @Sendable (Job) -> EventLoopFuture<Void>

    let target: BenchTarget
    let shares: [BenchTarget.Share]
    let threads: Int
    /// Before the measurement.
    let warmup: Duration
    /// Of the measurement; nil for as long as there is work.
    let duration: Duration?

    func run(_ start: Start) async throws -> Result {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        do {
            let result = try await run(on: group, start)
            try await group.shutdownGracefully()
            return result
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
    }

    private func run(on group: MultiThreadedEventLoopGroup, _ start: Start) async throws -> Result {
        let measureFrom = NIODeadline.now() + TimeAmount(warmup)
        var loops: [NIOLoopBound<LoadStatistics>] = []
        for loop in group.makeIterator() {
            loops.append(
                try await loop.submit {
                    NIOLoopBound(LoadStatistics(measureFrom: measureFrom), eventLoop: loop)
                }.get())
        }
        let statistics = loops
        async let before = usageAfterWarmup()
        // Cancelled when this function is left.
        async let _: Void = LoadMeter(statistics).watch()
        let deadline = duration.map { measureFrom + TimeAmount($0) } ?? .distantFuture
        let finished = shares.enumerated().map { number, share in
            let bound = statistics[number % statistics.count]
            return start(Job(number: number, share: share, statistics: bound, deadline: deadline))
        }
        try await EventLoopFuture.andAllSucceed(finished, on: statistics[0].eventLoop).get()
        let end = NIODeadline.now()
        let after = Usage(target)
        let used = await before
        var result = Result(
            seconds: Double((end - measureFrom).nanoseconds) / 1e9, counts: LoadCounts(),
            latency: LoadStatistics.emptyHistogram(), acknowledgement: LoadStatistics.emptyHistogram(),
            brokers: after.brokers(since: used), clientCPUSeconds: after.client - used.client)
        for bound in statistics {
            let (counts, latency, acknowledgement) = try await bound.eventLoop.submit {
                (bound.value.counts, bound.value.latency, bound.value.acknowledgement)
            }.get()
            result.counts.add(counts)
            result.latency.add(latency)
            result.acknowledgement.add(acknowledgement)
        }
        return result
    }

    // MARK: - Usage

    private struct Usage: Sendable {
        var client: Double
        private var brokers: [ProcessUsage]

        init(_ target: BenchTarget) {
            client = ProcessUsage(pid: getpid())?.cpuSeconds ?? 0
            brokers = target.usage()
        }

        func brokers(since earlier: Usage) -> [ProcessUsage] {
            brokers.map { usage in
                var usage = usage
                usage.cpuSeconds -= earlier.brokers.first { $0.pid == usage.pid }?.cpuSeconds ?? 0
                return usage
            }
        }
    }

    private func usageAfterWarmup() async -> Usage {
        try? await Task.sleep(for: warmup)
        return Usage(target)
    }
}

/// Shows every second what happens.
struct LoadMeter: Sendable {
    private let statistics: [NIOLoopBound<LoadStatistics>]

    init(_ statistics: [NIOLoopBound<LoadStatistics>]) {
        self.statistics = statistics
    }

    /// Until the task is cancelled.
    func watch() async {
        guard StandardStreams.isErrorTerminal else { return }
        var progress = ProgressLine(interval: .zero)
        var previous = LoadCounts()
        var seconds = 0
        while (try? await Task.sleep(for: .seconds(1))) != nil {
            seconds += 1
            let (counts, p99) = await sample()
            let records = counts.records - previous.records
            let bytes = counts.wireBytes - previous.wireBytes
            previous = counts
            progress.show {
                "\(seconds) s  \(records) records/s  \((Double(bytes) / 1e6).fixed(1)) MB/s  "
                    + "p99 \((Double(p99) / 1e6).fixed(2)) ms"
            }
        }
        progress.end()
    }

    private func sample() async -> (LoadCounts, p99: UInt64) {
        var sum = LoadCounts()
        var p99: UInt64 = 0
        for bound in statistics {
            let sample = try? await bound.eventLoop.submit {
                (bound.value.counts, bound.value.latency.valueAtPercentile(99))
            }.get()
            guard let (counts, loopP99) = sample else { continue }
            sum.add(counts)
            p99 = max(p99, loopP99)
        }
        return (sum, p99)
    }
}
