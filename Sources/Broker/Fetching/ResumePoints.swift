import Basics

/// Where readers stopped in the log, so that who reads on begins there: the index knows only where runs begin, and in a
/// run of small batches the next one may lie hundreds of blocks behind that.
///
/// Owner: its `Shard`. Bounded: a point that needs the slot of another one takes it, and who wanted that one searches
/// its run from the beginning. What is committed stays where it is, so a point never becomes wrong.
struct ResumePoints {
    private struct Point {
        var key: PartitionKey
        var offset: Offset
        var index: LogIndex
    }

    /// 96 KiB of memory, once somebody reads.
    static let slotCount = 4_096

    /// By a hash of key and offset. Empty until the first point comes.
    private var slots: [Point] = []

    /// The partition's batch with this first offset, if there is one, stands at `index` or is the first behind it.
    mutating func remember(_ offset: Offset, of key: PartitionKey, at index: LogIndex) {
        let point = Point(key: key, offset: offset, index: index)
        if slots.isEmpty { slots = Array(repeating: point, count: Self.slotCount) }
        slots[Self.slot(offset, key)] = point
    }

    func index(of offset: Offset, in key: PartitionKey) -> LogIndex? {
        guard !slots.isEmpty else { return nil }
        let point = slots[Self.slot(offset, key)]
        return point.key == key && point.offset == offset ? point.index : nil
    }

    /// Consecutive partitions and offsets are the usual ones: multiplication spreads them (Knuth, volume 3, §6.4).
    private static func slot(_ offset: Offset, _ key: PartitionKey) -> Int {
        let factor: UInt64 = 0x9E37_79B9_7F4A_7C15
        let hash = ((key.rawValue &* factor) ^ UInt64(bitPattern: offset.rawValue)) &* factor
        return Int(hash >> 32) % slotCount
    }
}
