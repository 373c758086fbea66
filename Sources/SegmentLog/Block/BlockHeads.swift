import Basics
import NIOCore

/// A block without its payload: what replay needs.
public struct BlockHeads: Hashable, Sendable {
    public let header: BlockHeader
    public let entries: BlockEntries

    public var base: LogIndex { header.base }
    public var last: LogIndex { header.last }
    public var term: Term { header.term }

    init(header: BlockHeader, entries: BlockEntries) {
        self.header = header
        self.entries = entries
    }

    /// Reads them at `position` of a file, without the payload.
    ///
    /// - Throws: `.damaged` if the checksum is wrong, or if this isn't the block of `segment` with base `expected`.
    static func read(
        _ reader: SequentialReader, at position: Int, segment: LogIndex, expected: LogIndex
    ) throws(StorageError) -> BlockHeads {
        var raw = try reader.view(at: position, length: BlockHeader.size)
        let reason: DamagedRange.Reason
        switch Result(catching: { () throws(BlockError) in try BlockHeader.parse(raw) }) {
        case .failure(let error): reason = .block(error)
        case .success(let header):
            raw = try reader.view(at: position, length: header.payloadStart)
            do throws(BlockError) {
                try header.verifyDirectory(raw)
                guard header.segment != segment || header.base != expected else {
                    let directory = ByteBuffer(bytes: raw[BlockHeader.size...])
                    return BlockHeads(
                        header: header,
                        entries: BlockEntries(base: header.base, count: header.count, directory: directory))
                }
                reason = .order(expected: expected)
            } catch {
                reason = .block(error)
            }
        }
        throw .damaged([DamagedRange(
            file: LogLayout.segmentName(segment), position: position, firstIndex: expected, lastIndex: nil,
            reason: reason)])
    }
}
