import Basics
import NIOCore

/// Reads a file front to back in large pieces. Confined to whoever made it; holds one piece, at least `pieceBytes`
/// long and at most one block.
final class SequentialReader {
    let fileBytes: Int
    private let file: any StorageFile
    private let pieceBytes: Int
    private var piece: UnsafeMutableRawBufferPointer
    private var start = 0
    private var count = 0

    init(_ file: any StorageFile, pieceBytes: Int = 1.mebibytes) throws(StorageError) {
        self.file = file
        self.fileBytes = try file.size()
        self.pieceBytes = pieceBytes
        piece = .allocate(byteCount: pieceBytes, alignment: 16)
    }

    deinit { piece.deallocate() }

    /// The `length` bytes from `position` on, fewer at the end of the file; valid until the next call.
    func view(at position: Int, length: Int) throws(StorageError) -> UnsafeRawBufferPointer {
        let length = max(0, min(length, fileBytes - position))
        if position < start || position + length > start + count {
            if length > piece.count {
                piece.deallocate()
                piece = .allocate(byteCount: max(length, pieceBytes), alignment: 16)
            }
            start = position
            count = 0
            count = try file.read(into: piece, at: position)
        }
        let offset = position - start
        return UnsafeRawBufferPointer(rebasing: piece[offset ..< min(offset + length, count)])
    }
}
