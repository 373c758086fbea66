import Basics
import CMartlet
import MartletClient
import NIOCore
import Synchronization

/// What the brokers have acknowledged: for each partition and offset a fingerprint of the record, and when.
///
/// Shared by the producers, behind a mutex that each takes once for many records.
final class DemoLedger: Sendable {
    struct Entry: Sendable {
        let partition: Int32
        let offset: Int64
        let fingerprint: UInt64
    }

    struct Contents: Sendable {
        /// Fingerprint by offset; 0 where nothing was acknowledged.
        var fingerprints: [[UInt64]]
        var acknowledged = 0
        var bytes = 0
        /// Two acknowledgements of one offset.
        var conflicts = 0
        var lastAcknowledgement = ContinuousClock.now
        var killedAt: ContinuousClock.Instant?
        /// A producer gave up.
        var hasFailed = false
        /// The longest time without an acknowledgement after the kill.
        var gapMax = Duration.zero
    }

    private let contents: Mutex<Contents>

    init(partitionCount: Int) {
        contents = Mutex(Contents(fingerprints: Array(repeating: [], count: partitionCount)))
    }

    var snapshot: Contents { contents.withLock { $0 } }
    var acknowledged: Int { contents.withLock { $0.acknowledged } }

    func record(_ entries: [Entry], bytes: Int) {
        let now = ContinuousClock.now
        contents.withLock { contents in
            if contents.killedAt != nil { contents.gapMax = max(contents.gapMax, now - contents.lastAcknowledgement) }
            contents.lastAcknowledgement = now
            contents.acknowledged += entries.count
            contents.bytes += bytes
            for entry in entries { contents.enter(entry) }
        }
    }

    var hasFailed: Bool { contents.withLock { $0.hasFailed } }

    func writerFailed() { contents.withLock { $0.hasFailed = true } }

    func leaderWasKilled() { contents.withLock { $0.killedAt = ContinuousClock.now } }

    /// 64 bits by which a record is recognised; never 0.
    static func fingerprint(_ record: ByteBuffer) -> UInt64 {
        record.withUnsafeReadableBytes { bytes in
            let low = martlet_crc32c(0, bytes.baseAddress, bytes.count)
            let high = martlet_crc32c(~low, bytes.baseAddress, bytes.count)
            return UInt64(high) << 32 | UInt64(low) | 1
        }
    }
}

extension DemoLedger.Contents {
    fileprivate mutating func enter(_ entry: DemoLedger.Entry) {
        let partition = Int(entry.partition), offset = Int(entry.offset)
        let missing = offset + 1 - fingerprints[partition].count
        if missing > 0 { fingerprints[partition].append(contentsOf: repeatElement(0, count: missing)) }
        if fingerprints[partition][offset] != 0 { conflicts += 1 }
        fingerprints[partition][offset] = entry.fingerprint
    }
}
