import Basics
import NIOCore
import SegmentLog

/// A file that is written round and round, over blocks that the file system has long placed: the cheapest durable write
/// there is.
///
/// Owner: the jobs of one storage thread, one at a time.
final class RingFile: Sendable {
    private static let pageBytes = 4_096

    private let file: any StorageFile
    private let length: Int

    /// Makes the file and writes all of it once.
    init(_ path: String, length: Int) throws(StorageError) {
        file = try POSIXFileSystem(writePath: .direct).open(path, .create)
        self.length = length
        let piece = ByteBuffer(repeating: 0, count: 1.mebibytes)
        for position in stride(from: 0, to: length, by: 1.mebibytes) {
            try file.append([piece], at: position, durably: false)
        }
        try file.flush()
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
