import Basics
import DequeModule
import SegmentLog

/// Where those who read from disk will go on: with the block in the middle of what was loaded, they show that they will
/// want what comes after it, and it can be on its way while they read the second half.
///
/// Owner: its `Shard`. Remembers the last `loadsMax` loads.
struct ReadAhead {
    private static let loadsMax = 64

    /// What follows a load, by the first index of the block in its middle.
    private var following: [LogIndex: LogIndex] = [:]
    private var middles: Deque<LogIndex> = []

    mutating func loaded(_ blocks: [Block]) {
        guard let last = blocks.last else { return }
        let middle = blocks[(blocks.count - 1) / 2].base
        if following.updateValue(last.last.next, forKey: middle) == nil { middles.append(middle) }
        if middles.count > Self.loadsMax { following[middles.removeFirst()] = nil }
    }

    /// - Returns: where to load from now that `block` is read; nil if that is nothing new. Said once for each load.
    mutating func used(_ block: Block) -> LogIndex? {
        guard !following.isEmpty, let next = following.removeValue(forKey: block.base) else { return nil }
        middles.removeAll { $0 == block.base }
        return next
    }
}
