import Basics
import NIOCore

/// Where a block lies in its segment file.
public struct BlockLocation: Hashable, Sendable {
    public var base: LogIndex
    public var term: Term
    public var position: Int
    public var length: UInt32
    public var count: UInt32

    public var last: LogIndex { base + (Int(count) - 1) }
    public var end: Int { position + Int(length) }

    init(_ header: BlockHeader, at position: Int) {
        self.init(
            base: header.base, term: header.term, position: position, length: UInt32(header.encodedSize),
            count: UInt32(header.count))
    }

    init(base: LogIndex, term: Term, position: Int, length: UInt32, count: UInt32) {
        self.base = base
        self.term = term
        self.position = position
        self.length = length
        self.count = count
    }
}

/// All blocks of one segment, in order. 32 bytes a block.
struct SegmentTable: Hashable, Sendable {
    let segment: LogIndex
    private(set) var blocks: [BlockLocation] = []

    init(segment: LogIndex) { self.segment = segment }

    /// Index of the last entry; the one before the segment while it is empty.
    var last: LogIndex { blocks.last?.last ?? segment.previous }
    var lastTerm: Term { blocks.last?.term ?? .zero }
    /// Where the next block goes.
    var end: Int { blocks.last?.end ?? SegmentFormat.headerBytes }

    var residentBytes: Int { blocks.count * MemoryLayout<BlockLocation>.stride }

    mutating func append(_ location: BlockLocation) {
        invariant(location.base == last.next && location.position == end, "block \(location.base) leaves a gap")
        blocks.append(location)
    }

    /// Drops the block that contains `index`, and all behind it.
    mutating func cut(from index: LogIndex) {
        while let block = blocks.last, block.last >= index { blocks.removeLast() }
    }

    /// Position in `blocks` of the block that contains `index`.
    func find(_ index: LogIndex) -> Int? {
        var low = 0
        var high = blocks.count
        while low < high {
            let middle = (low + high) / 2
            if blocks[middle].last < index { low = middle + 1 } else { high = middle }
        }
        return low < blocks.count && blocks[low].base <= index ? low : nil
    }
}
