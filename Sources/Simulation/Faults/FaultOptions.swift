import Basics

/// What may go wrong in a world.
public enum FaultKind: String, CaseIterable, Hashable, Sendable {
    /// A process ends, and starts again later. Its machine stays up.
    case crash
    /// A machine loses power in the middle of a disk's work; unflushed sectors are old, new or torn.
    case powerLoss
    /// Most machines, or all of them, lose power at once.
    case massPowerLoss
    case pause
    case diskStall
    case writeError
    /// A flush fails once, loses what it should have stored, and does not fail again.
    case flushError
    /// One write fails for want of space, or none gets any for a while.
    case diskFull
    case readError
    /// The power fails while a broker recovers.
    case crashInRecovery
    /// A byte of a sealed segment or of its sidecar changes on the disk: on one broker of the world, always the same.
    case bitRot
    /// A disk is replaced by an empty one, when all others hold what it held.
    case replaceDisk
    case partition
    case oneWayCut
    /// Two brokers do not hear each other, a third hears both.
    case bridge
    case slowNetwork
    case connectionReset
    case clockJump
}

/// Which faults a world has and how often. Everything here can be survived: what was flushed is never lost.
public struct FaultOptions: Hashable, Sendable {
    public var kinds: [FaultKind] = []
    /// Longest time between two faults.
    public var intervalMax = TimeSpan.seconds(4)
    /// Longest time until a fault is mended; a pause may be much longer.
    public var durationMax = TimeSpan.seconds(5)
    public init() {}
}
