import Basics
import SegmentLog

/// Loads of blocks that are under way, and who waits for them.
///
/// Consumers of several partitions that start together want the same blocks at the same time, since the log holds their
/// partitions mixed. A load reads ahead, so whoever wants a block behind the beginning of one joins it: otherwise every
/// block would be read and decompressed once for each partition in it.
///
/// Owner: its `Shard`. Bounded by the requests that read from disk.
struct BlockLoads {
    typealias Completion = (Result<Void, StorageError>) -> Void

    /// Somebody who wants the block that contains `index`.
    struct Waiter {
        var index: LogIndex
        var completion: Completion
    }

    private struct Load {
        let number: Int
        let from: LogIndex
        var waiters: [Waiter] = []
    }

    private var underWay: [Load] = []
    private var lastNumber = 0

    /// Waits for the load that may bring the block: the one that begins next before it. False if there is none.
    mutating func join(_ waiter: Waiter) -> Bool {
        var nearest: Int?
        for (position, load) in underWay.enumerated()
        where load.from <= waiter.index && nearest.map({ underWay[$0].from < load.from }) ?? true {
            nearest = position
        }
        guard let nearest else { return false }
        underWay[nearest].waiters.append(waiter)
        return true
    }

    /// A load from `index` on begins. Returns its number.
    mutating func begin(from index: LogIndex) -> Int {
        lastNumber += 1
        underWay.append(Load(number: lastNumber, from: index))
        return lastNumber
    }

    /// The load is over. Returns who joined it, in the order in which they came.
    mutating func end(_ number: Int) -> [Waiter] {
        guard let position = underWay.firstIndex(where: { $0.number == number }) else {
            preconditionFailure("a load ends that did not begin")
        }
        return underWay.remove(at: position).waiters
    }
}
