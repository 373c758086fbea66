import Basics
import NIOCore
import SegmentLog

/// A file that is written round and round.
///
/// Owner: the jobs of one storage thread, one at a time.
final class RingFile: Sendable {
    private static let pageBytes = 4_096

    private let file: any StorageFile
    private let length: Int

    enum Blocks {
        /// All of them were written before, and forget what they held: the cheapest durable write there is.
        case written
        /// The file system has only reserved them, as for a log that keeps what it is given, and records with each
        /// write of the first round which ones hold something now.
        case reserved
    }

    init(_ path: String, length: Int, blocks: Blocks) throws(StorageError) {
        file = try POSIXFileSystem(writePath: .direct).open(path, .create)
        self.length = length
        switch blocks {
        case .written: try writeAll()
        case .reserved: try file.allocate(length)
        }
        try file.flush()
    }

    private func writeAll() throws(StorageError) {
        let piece = ByteBuffer(repeating: 0, count: 1.mebibytes)
        for position in stride(from: 0, to: length, by: 1.mebibytes) {
            try file.append([piece], at: position, durably: false)
        }
    }

    /// Writes a group of buffers from the page that contains `position` on, and flushes.
    func write(_ buffers: [ByteBuffer], at position: UInt64) throws(StorageError) {
        let bytes = buffers.reduce(0) { $0 + $1.readableBytes }
        let whole = (bytes + Self.pageBytes - 1) / Self.pageBytes * Self.pageBytes
        invariant(whole <= length, "a group is longer than the file")
        var start = Int(position % UInt64(length)) / Self.pageBytes * Self.pageBytes
        if start + whole > length { start = 0 }
        try file.append(buffers, at: start, durably: true)
    }
}
