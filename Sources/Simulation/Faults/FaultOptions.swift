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
    /// Any byte on any disk changes.
    case anyRot
    /// A flush reports success and has stored nothing.
    case lostFlush
    /// A write goes to another place of its file.
    case misdirectedWrite
    /// A broker starts again with an empty disk, whatever depends on it.
    case emptyDisk
    case partition
    case oneWayCut
    /// Two brokers do not hear each other, a third hears both.
    case bridge
    case slowNetwork
    case connectionReset
    case clockJump
    /// The power fails when a file is truncated next, or within a few calls after that.
    case powerLossAtTruncation
    /// A leader's process ends, and when the next leader is elected no disk does anything for a while.
    case slowSuccession
    /// A leader's peers do not hear it and it does not hear them, while some clients do; its disk may stand still.
    /// So it has entries, flushed or not, that its successor will cut off.
    case deposedLeader

    /// Whether Raft cannot survive it: what a quorum has acknowledged may be gone. It happens only in worlds that are
    /// drawn to go beyond all promises.
    public var isBeyondBudget: Bool { [.anyRot, .lostFlush, .misdirectedWrite, .emptyDisk].contains(self) }
}

/// Which faults a world has and how often. Unless a kind is beyond the budget, all of them together can be survived:
/// what was flushed is never lost, on a quorum at least.
public struct FaultOptions: Hashable, Sendable {
    public var kinds: [FaultKind] = []
    /// Longest time between two faults.
    public var intervalMax = TimeSpan.seconds(4)
    /// Longest time until a fault is mended; a pause may be much longer.
    public var durationMax = TimeSpan.seconds(5)
    public init() {}

    /// Whether records may be lost in this world: then brokers may refuse, stop or lose, but not give out bytes that
    /// nobody sent.
    public var isBeyondBudget: Bool { kinds.contains(where: \.isBeyondBudget) }
}
