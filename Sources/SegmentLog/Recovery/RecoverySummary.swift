import Basics

/// What recovery found and did, for the operator's log.
public struct RecoverySummary: Hashable, Sendable {
    public var segments = 0
    public var blocks = 0
    /// Bytes of all blocks.
    public var bytes = 0
    /// Segments whose every checksum was verified; the others were taken from their sidecars.
    public var scannedSegments = 0
    /// Unfinished writes at the end of the log that were cut off: they were never reported as flushed.
    public var tornTail: TornTail?
    public var rebuiltSidecars = 0
    /// One of the two copies of term and vote was damaged; the other one was used.
    public var hasDamagedStatePage = false
    /// Damage that was cut off because `acceptDataLoss` said so: **entries that may have been acknowledged are gone.**
    public var acceptedLoss: [DamagedRange] = []

    public struct TornTail: Hashable, Sendable {
        public var segment: LogIndex
        public var position: Int
        /// The log's last entry after the cut.
        public var lastIndex: LogIndex
    }

    public init() {}
}
