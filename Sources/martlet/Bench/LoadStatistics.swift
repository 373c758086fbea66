import Histogram
import NIOCore

/// What one event loop's connections have done since the measurement began.
///
/// Owned by its event loop.
final class LoadStatistics {
    /// One minute in nanoseconds: a slower answer counts as one minute.
    private static let slowest: UInt64 = 60_000_000_000

    /// Before this, nothing is counted.
    let measureFrom: NIODeadline
    private(set) var counts = LoadCounts()
    private(set) var latency = LoadStatistics.emptyHistogram()
    private(set) var acknowledgement = LoadStatistics.emptyHistogram()

    init(measureFrom: NIODeadline) {
        self.measureFrom = measureFrom
    }

    /// Counts an exchange that has ended, if it began in time.
    func count(_ exchange: LoadCounts, sentAt: NIODeadline, now: NIODeadline) {
        guard sentAt >= measureFrom else { return }
        counts.add(exchange)
        _ = latency.record(Self.nanoseconds(sentAt, now))
    }

    /// Counts an acknowledgement that is not the end of its exchange.
    func countAcknowledgement(sentAt: NIODeadline, now: NIODeadline) {
        guard sentAt >= measureFrom else { return }
        _ = acknowledgement.record(Self.nanoseconds(sentAt, now))
    }

    private static func nanoseconds(_ start: NIODeadline, _ end: NIODeadline) -> UInt64 {
        min(UInt64(max(0, (end - start).nanoseconds)), slowest)
    }

    /// From microseconds to a minute, with three digits.
    static func emptyHistogram() -> Histogram<UInt64> {
        Histogram(
            lowestDiscernibleValue: 1_000, highestTrackableValue: slowest, numberOfSignificantValueDigits: .three)
    }
}

/// Sums of exchanges.
struct LoadCounts: Sendable {
    var requests = 0
    var records = 0
    /// Of the batches as they went over the wire.
    var wireBytes = 0
    /// Of the values, before compression; 0 where nobody knows it.
    var payloadBytes = 0

    mutating func add(_ other: LoadCounts) {
        requests += other.requests
        records += other.records
        wireBytes += other.wireBytes
        payloadBytes += other.payloadBytes
    }
}
