import Foundation
import SegmentLog

/// One broker's log, after everything is over.
struct DemoReplica {
    let broker: Int
    let verification: LogInspector.Verification
    /// Every block's header, which holds the checksums of all its bytes.
    let blocks: [BlockHeader]
    let bytesOnDisk: Int

    /// One number for the whole log: the same on every replica.
    var checksum: String {
        let sums = verification.segments.map { String(format: "%08x", $0.checksum) }
        return sums.count <= 2 ? sums.joined(separator: " ") : "\(sums[0]) … \(sums[sums.count - 1])"
    }
}

/// What came of a demo.
struct DemoReport {
    let written: DemoLedger.Contents
    let expected: Int
    let elapsed: Duration
    /// Ascending.
    let latencies: [Duration]
    var reading = DemoReading.Outcome()
    var readTime = Duration.zero
    var replicas: [DemoReplica] = []

    init(written: DemoLedger.Contents, expected: Int, elapsed: Duration, latencies: [Duration]) {
        self.written = written
        self.expected = expected
        self.elapsed = elapsed
        self.latencies = latencies
    }

    /// Everything that is wrong, in words; empty when nothing is.
    var faults: [String] {
        var faults: [String] = []
        func check(_ isRight: Bool, _ fault: String) { if !isRight { faults.append(fault) } }
        check(written.acknowledged == expected, "\(expected - written.acknowledged) records were never acknowledged")
        check(written.conflicts == 0, "\(written.conflicts) offsets were given to two records")
        check(!written.fingerprints.joined().contains(0), "there are gaps between the acknowledged offsets")
        check(reading.missing == 0, "\(reading.missing) acknowledged records are missing")
        check(reading.unexpected == 0, "\(reading.unexpected) records are not the ones that were acknowledged there")
        check(reading.disorder == 0, "\(reading.disorder) records came out of order")
        check(
            reading.records == written.acknowledged,
            "\(reading.records) records were read, \(written.acknowledged) acknowledged")
        for replica in replicas {
            check(replica.verification.isSound, "the log of broker \(replica.broker) is damaged")
            check(replica.blocks == replicas[0].blocks, "the log of broker \(replica.broker) differs from broker 1's")
        }
        check(replicas.count == 3 && !replicas[0].blocks.isEmpty, "the logs could not be compared")
        check(written.killedAt != nil, "the leader was not killed: too few records")
        return faults
    }

    var isFaultless: Bool { faults.isEmpty }

    private func percentile(_ fraction: Double) -> String {
        guard !latencies.isEmpty else { return "–" }
        return DemoConsole.milliseconds(latencies[min(latencies.count - 1, Int(Double(latencies.count) * fraction))])
    }

    private func decimal(_ value: Double) -> String { String(format: "%.1f", value) }

    func print(keptIn directory: String?) {
        let seconds = DemoConsole.seconds(elapsed), readSeconds = DemoConsole.seconds(readTime)
        let stored = replicas.first?.verification.segments.reduce(0) { $0 + $1.bytes } ?? 0
        var rows: [(String, String)] = [
            ("written", "\(DemoConsole.count(written.acknowledged)) records, \(DemoConsole.megabytes(written.bytes)) "
                + "in \(decimal(seconds)) s, the kill included: "
                + "\(DemoConsole.count(Int(Double(written.acknowledged) / seconds))) records/s, "
                + "\(decimal(Double(written.bytes) / 1e6 / seconds)) MB/s"),
            ("to acknowledgement", "p50 \(percentile(0.5)), p99 \(percentile(0.99)), max \(percentile(1))"),
            ("fail-over gap", "\(DemoConsole.milliseconds(written.gapMax)) without an acknowledgement"),
            ("read back", "\(DemoConsole.count(reading.records)) records in "
                + "\(decimal(readSeconds)) s, \(decimal(Double(reading.bytes) / 1e6 / max(0.001, readSeconds))) MB/s"),
            ("log on each broker", "\(DemoConsole.megabytes(stored)), "
                + "\(decimal(Double(written.bytes) / Double(max(1, stored)))) times smaller than the records"),
        ]
        for replica in replicas {
            rows.append(("broker \(replica.broker)", "\(DemoConsole.count(replica.blocks.count)) blocks, "
                + "\(DemoConsole.megabytes(replica.bytesOnDisk)) on disk, checksum \(replica.checksum)"))
        }
        Swift.print("")
        for (name, value) in rows {
            Swift.print("  " + name.padding(toLength: 20, withPad: " ", startingAt: 0) + value)
        }
        Swift.print("")
        if isFaultless {
            Swift.print("Every acknowledged record is there, exactly once, in order, on all three brokers.")
        } else {
            for fault in faults { Swift.print("WRONG: \(fault)") }
        }
        Swift.print("""

            What to try next:
              martlet serve                                          a broker of your own, ready for any Kafka client
              echo hello | martlet produce greetings                 write to it
              martlet consume greetings --from beginning             read it back
              martlet bench produce --duration 10                    measure this machine
            """)
        guard let directory else { return }
        Swift.print("The brokers' data and logs are kept; try: martlet log verify \(directory)/broker-1")
    }
}
